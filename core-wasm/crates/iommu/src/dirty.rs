//! Dirty tracking: which pages of a domain transfers have written to. The marks are bits in the page tables; a translation that caches hold as
//! writable is not marked again, so that caches are told whenever marks go or begin to matter.

use crate::domain::DomainId;
use crate::iommu::Iommu;
use crate::ram::Ram;
use pgtable::DirtyLeaf;

impl Iommu {
    /// Lets transfers through a domain, and through nested ones on top of it, mark what they write to, or lets them leave no marks any more. Marks that
    /// are there stay. Nothing happens if there is no such domain, or one of Arm's, where clean pages can be written to only because that is marked, or
    /// one of the first stage beside a second, whose marks are nobody's matter.
    pub fn set_marks(&mut self, ram: &mut Ram, id: DomainId, marks: bool) {
        let second_alone = !self.config().kind.second_stage().is_first_stage();
        if let Some(domain) = self.domains.get_mut(id)
            && domain.marks != marks
            && domain.table.format().dirty.guard == 0
            && !(second_alone && domain.table.format().first_stage)
        {
            domain.marks = marks;
            self.write_contexts_of(ram, id);
            self.forget_domain(ram, id);
        }
    }

    /// Whether transfers through a domain leave marks. False if there is no such domain.
    pub fn has_marks(&self, id: DomainId) -> bool {
        self.domains.get(id).is_some_and(|domain| domain.marks)
    }

    /// Whether they do from the first one on, as pages of its format can be written to only where that is marked.
    pub fn always_marks(&self, id: DomainId) -> bool {
        self.domains.get(id).is_some_and(|domain| domain.table.format().dirty.guard != 0)
    }

    /// Marks the page at `iova` of a domain as written to, if there is one.
    pub fn mark(&mut self, ram: &mut Ram, id: DomainId, iova: u64) {
        if let Some(domain) = self.domains.get(id) {
            domain.table.touch(ram, iova, true);
        }
    }

    /// The first page of `first..=last` in a domain that was written to, of whatever size, and where it starts: maybe before `first`. With `clear` its
    /// mark goes; [`Self::forget_domain`] must follow before the next transfer.
    pub fn next_dirty(&mut self, ram: &mut Ram, id: DomainId, first: u64, last: u64, clear: bool) -> Option<DirtyLeaf> {
        self.domains.get(id)?.table.next_dirty(ram, first, last, clear)
    }

    /// Forgets all translations through a domain, and what is cached of nested domains on top of it.
    pub fn forget_domain(&mut self, ram: &mut Ram, id: DomainId) {
        self.deferred.end(id);
        self.invalidate_all(ram, id);
        if self.nested.len() != 0 {
            self.nested.forget_children(id, &mut self.iotlb);
        }
    }
}
