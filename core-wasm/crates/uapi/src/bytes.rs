//! Little-endian numbers in arrays of bytes. Offsets are constants of generated code; inlined, their bounds checks vanish.

macro_rules! number {
    ($type:ty, $read:ident, $write:ident) => {
        #[inline(always)]
        pub(crate) fn $read<const N: usize>(bytes: &[u8; N], at: usize) -> $type {
            let mut value = [0; size_of::<$type>()];
            value.copy_from_slice(&bytes[at..at + size_of::<$type>()]);
            <$type>::from_le_bytes(value)
        }

        #[inline(always)]
        pub(crate) fn $write<const N: usize>(bytes: &mut [u8; N], at: usize, value: $type) {
            bytes[at..at + size_of::<$type>()].copy_from_slice(&value.to_le_bytes());
        }
    };
}

number!(u8, u8_at, put_u8);
number!(u16, u16_at, put_u16);
number!(u32, u32_at, put_u32);
number!(i32, i32_at, put_i32);
number!(u64, u64_at, put_u64);
