//! What a check found.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use uapi::{Errno, Result};

/// A rule that does not hold, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The violations found so far.
#[derive(Default)]
pub(super) struct Report {
    violations: Vec<Violation>,
    /// There was something to report, and no room for it.
    lost: bool,
}

impl Report {
    /// ENOMEM if there was something to report, and room for none of it.
    pub(super) fn into_violations(self) -> Result<Vec<Violation>> {
        if self.lost && self.violations.is_empty() { Err(Errno::ENOMEM) } else { Ok(self.violations) }
    }

    /// Adds a violation. Without room on the heap its text is cut, or it is left out.
    pub(super) fn add(&mut self, text: fmt::Arguments) {
        let mut line = Line(String::new());
        let _ = fmt::write(&mut line, text);
        match self.violations.try_reserve(1) {
            Ok(()) => self.violations.push(Violation(line.0)),
            Err(_) => self.lost = true,
        }
    }

    /// Adds a violation unless `holds`.
    pub(super) fn expect(&mut self, holds: bool, text: fmt::Arguments) {
        if !holds {
            self.add(text);
        }
    }

    /// Adds a violation unless a count that is kept is what was counted.
    pub(super) fn expect_count(&mut self, kept: impl Into<u64>, counted: impl Into<u64>, what: fmt::Arguments) {
        let (kept, counted) = (kept.into(), counted.into());
        if kept != counted {
            self.add(format_args!("{what}: {kept} are kept, {counted} were counted"));
        }
    }
}

/// A text whose growth can fail.
struct Line(String);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_report_holds_what_does_not_hold_and_nothing_else() {
        let mut report = Report::default();
        report.expect(true, format_args!("never seen"));
        report.expect_count(3_u32, 3_u32, format_args!("never seen"));
        report.expect(false, format_args!("fd {} names nothing", 7));
        report.expect_count(3_u32, 4_u64, format_args!("users of object {}", 1));
        let lines: Vec<String> = report.into_violations().unwrap().iter().map(Violation::to_string).collect();
        assert_eq!(lines, ["fd 7 names nothing", "users of object 1: 3 are kept, 4 were counted"]);
    }
}
