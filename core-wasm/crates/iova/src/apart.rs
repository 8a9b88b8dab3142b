//! Placement that keeps away from what is mapped: for finding mistakes of drivers, at the price of looking at every area.

use crate::error::OutOfMemory;
use crate::range::Range;
use crate::slab::grow;
use crate::space::IovaSpace;

impl<V: Copy> IovaSpace<V> {
    /// What automatic placement may use now, without the areas, `margin` addresses around each of them, and `others`, which are ascending.
    pub fn allowed_apart(&self, margin: u64, others: &[Range]) -> Result<Vec<Range>, OutOfMemory> {
        let wide = |range: Range| Range { start: range.start.saturating_sub(margin), last: range.last.saturating_add(margin) };
        let mut areas = self.iter_from(0).map(|(range, _)| wide(range)).peekable();
        let mut others = others.iter().copied().peekable();
        let mut next_used = || match (areas.peek(), others.peek()) {
            (Some(area), Some(other)) if other.start < area.start => others.next(),
            (None, _) => others.next(),
            _ => areas.next(),
        };
        let mut left = Vec::new();
        let mut used = next_used();
        let everything = [Range::ALL];
        let allowed = if self.allowed().is_empty() { &everything[..] } else { self.allowed() };
        for &range in allowed {
            let mut from = Some(range.start);
            while let Some(start) = from.filter(|&start| start <= range.last) {
                let Some(taken) = used.filter(|taken| taken.start <= range.last) else {
                    push(&mut left, Range { start, last: range.last })?;
                    break;
                };
                if taken.last < start {
                    used = next_used();
                    continue;
                }
                if start < taken.start {
                    push(&mut left, Range { start, last: taken.start - 1 })?;
                }
                // It may reach into the next allowed range.
                from = taken.last.checked_add(1);
            }
        }
        Ok(left)
    }
}

fn push(list: &mut Vec<Range>, range: Range) -> Result<(), OutOfMemory> {
    grow(list, list.len() + 1)?;
    list.push(range);
    Ok(())
}
