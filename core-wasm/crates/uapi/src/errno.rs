// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! Error numbers of Linux on x86-64.

use crate::Errno;

impl Errno {
    /// The caller may not do this.
    pub const EPERM: Errno = Errno(1);
    /// Nothing has this id, address or name.
    pub const ENOENT: Errno = Errno(2);
    /// No such process.
    pub const ESRCH: Errno = Errno(3);
    /// Interrupted before it was done.
    pub const EINTR: Errno = Errno(4);
    /// The device failed.
    pub const EIO: Errno = Errno(5);
    /// No such device or address.
    pub const ENXIO: Errno = Errno(6);
    /// The argument has content where this kernel knows no field.
    pub const E2BIG: Errno = Errno(7);
    /// Not a program.
    pub const ENOEXEC: Errno = Errno(8);
    /// No open file has this descriptor.
    pub const EBADF: Errno = Errno(9);
    /// No child process.
    pub const ECHILD: Errno = Errno(10);
    /// Nothing there now.
    pub const EAGAIN: Errno = Errno(11);
    /// Out of memory, or over the limit of locked memory.
    pub const ENOMEM: Errno = Errno(12);
    /// The file's permissions refuse.
    pub const EACCES: Errno = Errno(13);
    /// An address that cannot be read or written.
    pub const EFAULT: Errno = Errno(14);
    /// Not a block device.
    pub const ENOTBLK: Errno = Errno(15);
    /// In use.
    pub const EBUSY: Errno = Errno(16);
    /// Already there.
    pub const EEXIST: Errno = Errno(17);
    /// On another file system.
    pub const EXDEV: Errno = Errno(18);
    /// No such device.
    pub const ENODEV: Errno = Errno(19);
    /// Not a directory.
    pub const ENOTDIR: Errno = Errno(20);
    /// A directory.
    pub const EISDIR: Errno = Errno(21);
    /// A value that makes no sense here.
    pub const EINVAL: Errno = Errno(22);
    /// The system has too many open files.
    pub const ENFILE: Errno = Errno(23);
    /// The process has too many open files.
    pub const EMFILE: Errno = Errno(24);
    /// The file does not know this request.
    pub const ENOTTY: Errno = Errno(25);
    /// The program is running.
    pub const ETXTBSY: Errno = Errno(26);
    /// The file would be too large.
    pub const EFBIG: Errno = Errno(27);
    /// No room left.
    pub const ENOSPC: Errno = Errno(28);
    /// The length or position does not suit this file.
    pub const ESPIPE: Errno = Errno(29);
    /// The file system is read-only.
    pub const EROFS: Errno = Errno(30);
    /// Too many links.
    pub const EMLINK: Errno = Errno(31);
    /// Nobody reads the pipe.
    pub const EPIPE: Errno = Errno(32);
    /// Outside the function's domain.
    pub const EDOM: Errno = Errno(33);
    /// The result cannot be represented.
    pub const ERANGE: Errno = Errno(34);
    /// It would wait for itself.
    pub const EDEADLK: Errno = Errno(35);
    /// The name is too long.
    pub const ENAMETOOLONG: Errno = Errno(36);
    /// No locks left.
    pub const ENOLCK: Errno = Errno(37);
    /// The kernel lacks this call.
    pub const ENOSYS: Errno = Errno(38);
    /// The directory is not empty.
    pub const ENOTEMPTY: Errno = Errno(39);
    /// Too many symbolic links.
    pub const ELOOP: Errno = Errno(40);
    /// No message of this type.
    pub const ENOMSG: Errno = Errno(42);
    /// The identifier was removed.
    pub const EIDRM: Errno = Errno(43);
    /// Channel number out of range.
    pub const ECHRNG: Errno = Errno(44);
    /// Level 2 not synchronised.
    pub const EL2NSYNC: Errno = Errno(45);
    /// Level 3 halted.
    pub const EL3HLT: Errno = Errno(46);
    /// Level 3 reset.
    pub const EL3RST: Errno = Errno(47);
    /// Link number out of range.
    pub const ELNRNG: Errno = Errno(48);
    /// Protocol driver not attached.
    pub const EUNATCH: Errno = Errno(49);
    /// No CSI structure.
    pub const ENOCSI: Errno = Errno(50);
    /// Level 2 halted.
    pub const EL2HLT: Errno = Errno(51);
    /// Invalid exchange.
    pub const EBADE: Errno = Errno(52);
    /// Invalid request descriptor.
    pub const EBADR: Errno = Errno(53);
    /// Exchange full.
    pub const EXFULL: Errno = Errno(54);
    /// No anode.
    pub const ENOANO: Errno = Errno(55);
    /// Invalid request code.
    pub const EBADRQC: Errno = Errno(56);
    /// Invalid slot.
    pub const EBADSLT: Errno = Errno(57);
    /// Bad font file.
    pub const EBFONT: Errno = Errno(59);
    /// Not a stream.
    pub const ENOSTR: Errno = Errno(60);
    /// No data.
    pub const ENODATA: Errno = Errno(61);
    /// The timer expired.
    pub const ETIME: Errno = Errno(62);
    /// Out of stream resources.
    pub const ENOSR: Errno = Errno(63);
    /// Not on the network.
    pub const ENONET: Errno = Errno(64);
    /// Package not installed.
    pub const ENOPKG: Errno = Errno(65);
    /// The object is remote.
    pub const EREMOTE: Errno = Errno(66);
    /// The link was cut.
    pub const ENOLINK: Errno = Errno(67);
    /// Advertise error.
    pub const EADV: Errno = Errno(68);
    /// Srmount error.
    pub const ESRMNT: Errno = Errno(69);
    /// Sending failed.
    pub const ECOMM: Errno = Errno(70);
    /// Protocol error.
    pub const EPROTO: Errno = Errno(71);
    /// Multihop attempted.
    pub const EMULTIHOP: Errno = Errno(72);
    /// RFS error.
    pub const EDOTDOT: Errno = Errno(73);
    /// Not a data message.
    pub const EBADMSG: Errno = Errno(74);
    /// An address or length overflows.
    pub const EOVERFLOW: Errno = Errno(75);
    /// The name is not unique.
    pub const ENOTUNIQ: Errno = Errno(76);
    /// A file of the wrong kind, or in the wrong state.
    pub const EBADFD: Errno = Errno(77);
    /// The remote address changed.
    pub const EREMCHG: Errno = Errno(78);
    /// A shared library cannot be opened.
    pub const ELIBACC: Errno = Errno(79);
    /// A shared library is corrupt.
    pub const ELIBBAD: Errno = Errno(80);
    /// A library section is corrupt.
    pub const ELIBSCN: Errno = Errno(81);
    /// Too many shared libraries.
    pub const ELIBMAX: Errno = Errno(82);
    /// A shared library cannot be run.
    pub const ELIBEXEC: Errno = Errno(83);
    /// Invalid byte sequence.
    pub const EILSEQ: Errno = Errno(84);
    /// The call should be started again.
    pub const ERESTART: Errno = Errno(85);
    /// Stream pipe error.
    pub const ESTRPIPE: Errno = Errno(86);
    /// Too many users.
    pub const EUSERS: Errno = Errno(87);
    /// Not a socket.
    pub const ENOTSOCK: Errno = Errno(88);
    /// A destination address is needed.
    pub const EDESTADDRREQ: Errno = Errno(89);
    /// The answer does not fit.
    pub const EMSGSIZE: Errno = Errno(90);
    /// Wrong protocol for this socket.
    pub const EPROTOTYPE: Errno = Errno(91);
    /// Protocol not available.
    pub const ENOPROTOOPT: Errno = Errno(92);
    /// Protocol not supported.
    pub const EPROTONOSUPPORT: Errno = Errno(93);
    /// Socket type not supported.
    pub const ESOCKTNOSUPPORT: Errno = Errno(94);
    /// Understood, but not supported here.
    pub const EOPNOTSUPP: Errno = Errno(95);
    /// Protocol family not supported.
    pub const EPFNOSUPPORT: Errno = Errno(96);
    /// Address family not supported.
    pub const EAFNOSUPPORT: Errno = Errno(97);
    /// The address range is taken.
    pub const EADDRINUSE: Errno = Errno(98);
    /// The address cannot be assigned.
    pub const EADDRNOTAVAIL: Errno = Errno(99);
    /// The network is down.
    pub const ENETDOWN: Errno = Errno(100);
    /// The network cannot be reached.
    pub const ENETUNREACH: Errno = Errno(101);
    /// The network dropped the connection.
    pub const ENETRESET: Errno = Errno(102);
    /// The connection was aborted.
    pub const ECONNABORTED: Errno = Errno(103);
    /// The peer reset the connection.
    pub const ECONNRESET: Errno = Errno(104);
    /// No buffer space.
    pub const ENOBUFS: Errno = Errno(105);
    /// Already connected.
    pub const EISCONN: Errno = Errno(106);
    /// Not connected.
    pub const ENOTCONN: Errno = Errno(107);
    /// The endpoint was shut down.
    pub const ESHUTDOWN: Errno = Errno(108);
    /// Too many references.
    pub const ETOOMANYREFS: Errno = Errno(109);
    /// Timed out.
    pub const ETIMEDOUT: Errno = Errno(110);
    /// The connection was refused.
    pub const ECONNREFUSED: Errno = Errno(111);
    /// The host is down.
    pub const EHOSTDOWN: Errno = Errno(112);
    /// No route to the host.
    pub const EHOSTUNREACH: Errno = Errno(113);
    /// Already in progress.
    pub const EALREADY: Errno = Errno(114);
    /// In progress now.
    pub const EINPROGRESS: Errno = Errno(115);
    /// The file handle is stale.
    pub const ESTALE: Errno = Errno(116);
    /// The structure needs cleaning.
    pub const EUCLEAN: Errno = Errno(117);
    /// Not a XENIX named file.
    pub const ENOTNAM: Errno = Errno(118);
    /// No XENIX semaphores.
    pub const ENAVAIL: Errno = Errno(119);
    /// A named file.
    pub const EISNAM: Errno = Errno(120);
    /// Remote input or output failed.
    pub const EREMOTEIO: Errno = Errno(121);
    /// Over quota.
    pub const EDQUOT: Errno = Errno(122);
    /// No medium.
    pub const ENOMEDIUM: Errno = Errno(123);
    /// Wrong type of medium.
    pub const EMEDIUMTYPE: Errno = Errno(124);
    /// Cancelled.
    pub const ECANCELED: Errno = Errno(125);
    /// The key is missing.
    pub const ENOKEY: Errno = Errno(126);
    /// The key expired.
    pub const EKEYEXPIRED: Errno = Errno(127);
    /// The key was revoked.
    pub const EKEYREVOKED: Errno = Errno(128);
    /// The key was rejected.
    pub const EKEYREJECTED: Errno = Errno(129);
    /// The owner died.
    pub const EOWNERDEAD: Errno = Errno(130);
    /// The state cannot be recovered.
    pub const ENOTRECOVERABLE: Errno = Errno(131);
    /// The radio is switched off.
    pub const ERFKILL: Errno = Errno(132);
    /// A page of memory is faulty.
    pub const EHWPOISON: Errno = Errno(133);

    /// The name of the error, or `None` for a number that Linux does not use.
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("EPERM"),
            2 => Some("ENOENT"),
            3 => Some("ESRCH"),
            4 => Some("EINTR"),
            5 => Some("EIO"),
            6 => Some("ENXIO"),
            7 => Some("E2BIG"),
            8 => Some("ENOEXEC"),
            9 => Some("EBADF"),
            10 => Some("ECHILD"),
            11 => Some("EAGAIN"),
            12 => Some("ENOMEM"),
            13 => Some("EACCES"),
            14 => Some("EFAULT"),
            15 => Some("ENOTBLK"),
            16 => Some("EBUSY"),
            17 => Some("EEXIST"),
            18 => Some("EXDEV"),
            19 => Some("ENODEV"),
            20 => Some("ENOTDIR"),
            21 => Some("EISDIR"),
            22 => Some("EINVAL"),
            23 => Some("ENFILE"),
            24 => Some("EMFILE"),
            25 => Some("ENOTTY"),
            26 => Some("ETXTBSY"),
            27 => Some("EFBIG"),
            28 => Some("ENOSPC"),
            29 => Some("ESPIPE"),
            30 => Some("EROFS"),
            31 => Some("EMLINK"),
            32 => Some("EPIPE"),
            33 => Some("EDOM"),
            34 => Some("ERANGE"),
            35 => Some("EDEADLK"),
            36 => Some("ENAMETOOLONG"),
            37 => Some("ENOLCK"),
            38 => Some("ENOSYS"),
            39 => Some("ENOTEMPTY"),
            40 => Some("ELOOP"),
            42 => Some("ENOMSG"),
            43 => Some("EIDRM"),
            44 => Some("ECHRNG"),
            45 => Some("EL2NSYNC"),
            46 => Some("EL3HLT"),
            47 => Some("EL3RST"),
            48 => Some("ELNRNG"),
            49 => Some("EUNATCH"),
            50 => Some("ENOCSI"),
            51 => Some("EL2HLT"),
            52 => Some("EBADE"),
            53 => Some("EBADR"),
            54 => Some("EXFULL"),
            55 => Some("ENOANO"),
            56 => Some("EBADRQC"),
            57 => Some("EBADSLT"),
            59 => Some("EBFONT"),
            60 => Some("ENOSTR"),
            61 => Some("ENODATA"),
            62 => Some("ETIME"),
            63 => Some("ENOSR"),
            64 => Some("ENONET"),
            65 => Some("ENOPKG"),
            66 => Some("EREMOTE"),
            67 => Some("ENOLINK"),
            68 => Some("EADV"),
            69 => Some("ESRMNT"),
            70 => Some("ECOMM"),
            71 => Some("EPROTO"),
            72 => Some("EMULTIHOP"),
            73 => Some("EDOTDOT"),
            74 => Some("EBADMSG"),
            75 => Some("EOVERFLOW"),
            76 => Some("ENOTUNIQ"),
            77 => Some("EBADFD"),
            78 => Some("EREMCHG"),
            79 => Some("ELIBACC"),
            80 => Some("ELIBBAD"),
            81 => Some("ELIBSCN"),
            82 => Some("ELIBMAX"),
            83 => Some("ELIBEXEC"),
            84 => Some("EILSEQ"),
            85 => Some("ERESTART"),
            86 => Some("ESTRPIPE"),
            87 => Some("EUSERS"),
            88 => Some("ENOTSOCK"),
            89 => Some("EDESTADDRREQ"),
            90 => Some("EMSGSIZE"),
            91 => Some("EPROTOTYPE"),
            92 => Some("ENOPROTOOPT"),
            93 => Some("EPROTONOSUPPORT"),
            94 => Some("ESOCKTNOSUPPORT"),
            95 => Some("EOPNOTSUPP"),
            96 => Some("EPFNOSUPPORT"),
            97 => Some("EAFNOSUPPORT"),
            98 => Some("EADDRINUSE"),
            99 => Some("EADDRNOTAVAIL"),
            100 => Some("ENETDOWN"),
            101 => Some("ENETUNREACH"),
            102 => Some("ENETRESET"),
            103 => Some("ECONNABORTED"),
            104 => Some("ECONNRESET"),
            105 => Some("ENOBUFS"),
            106 => Some("EISCONN"),
            107 => Some("ENOTCONN"),
            108 => Some("ESHUTDOWN"),
            109 => Some("ETOOMANYREFS"),
            110 => Some("ETIMEDOUT"),
            111 => Some("ECONNREFUSED"),
            112 => Some("EHOSTDOWN"),
            113 => Some("EHOSTUNREACH"),
            114 => Some("EALREADY"),
            115 => Some("EINPROGRESS"),
            116 => Some("ESTALE"),
            117 => Some("EUCLEAN"),
            118 => Some("ENOTNAM"),
            119 => Some("ENAVAIL"),
            120 => Some("EISNAM"),
            121 => Some("EREMOTEIO"),
            122 => Some("EDQUOT"),
            123 => Some("ENOMEDIUM"),
            124 => Some("EMEDIUMTYPE"),
            125 => Some("ECANCELED"),
            126 => Some("ENOKEY"),
            127 => Some("EKEYEXPIRED"),
            128 => Some("EKEYREVOKED"),
            129 => Some("EKEYREJECTED"),
            130 => Some("EOWNERDEAD"),
            131 => Some("ENOTRECOVERABLE"),
            132 => Some("ERFKILL"),
            133 => Some("EHWPOISON"),
            _ => None,
        }
    }
}
