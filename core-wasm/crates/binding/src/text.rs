//! Text that is made without asking for memory at each step.

use core::fmt::{self, Write};

/// Bytes of text at most; what goes beyond is cut.
const CAPACITY: usize = 64 * 1024;

/// Text of limited length.
pub(crate) struct Text(String);

impl Text {
    /// Empty, with all the memory that it will ever take. `None` if there is not so much.
    pub(crate) fn new() -> Option<Text> {
        let mut text = String::new();
        text.try_reserve_exact(CAPACITY).ok()?;
        Some(Text(text))
    }

    /// The text.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.0.len() + part.len() > CAPACITY {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_the_capacity_is_cut_at_a_part() {
        let mut text = Text::new().unwrap();
        let part = "x".repeat(CAPACITY / 2);
        assert!(text.write_str(&part).is_ok());
        assert!(text.write_str(&part).is_ok());
        assert!(text.write_str("y").is_err());
        assert_eq!(text.into_string().len(), CAPACITY);
    }
}
