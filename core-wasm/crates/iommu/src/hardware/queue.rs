//! Queues of commands: the driver half of a kind posts what has changed, the hardware half executes that, and forgets.

use super::ring::Ring;
use crate::nested::Stale;
use crate::ram::{FRAME_LG2, Ram};

/// What the hardware remembers, until a command makes it forget. Domains have the ids that entries have.
pub(crate) trait Caches {
    /// Forgets contexts: of a requester or all, with a PASID or all, of a domain or all.
    fn forget_contexts(&mut self, requester: Option<u16>, pasid: Option<u32>, domain: Option<u16>);

    /// Forgets all translations of a domain, or of all domains.
    fn forget_translations(&mut self, domain: Option<u16>);

    /// Forgets translations of a domain's pages that `first..=last` meets, and with `tables` what is cached of tables on the way to them.
    fn forget_pages(&mut self, domain: u16, first: u64, last: u64, tables: bool);

    /// Forgets what a guest says of its own, whose memory is a domain.
    fn forget_guest(&mut self, domain: u16, stale: Stale);
}

/// At boot there are none.
impl Caches for () {
    fn forget_contexts(&mut self, _requester: Option<u16>, _pasid: Option<u32>, _domain: Option<u16>) {}

    fn forget_translations(&mut self, _domain: Option<u16>) {}

    fn forget_pages(&mut self, _domain: u16, _first: u64, _last: u64, _tables: bool) {}

    fn forget_guest(&mut self, _domain: u16, _stale: Stale) {}
}

/// Pages whose translations are to be forgotten: all that `first..=last` meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    /// The domain's id.
    pub(crate) domain: u16,
    /// Whether its page table is of the first stage, or of Arm's stage 1.
    pub(crate) first_stage: bool,
    /// With which PASID it is used, where [`super::Unit::caches_by_pasid`].
    pub(crate) pasid: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// They are one page, of whatever size.
    pub(crate) single: bool,
    /// Tables on the way have gone too.
    pub(crate) tables: bool,
}

impl Pages {
    /// The smallest naturally aligned block of a power of two of bytes, of a page of 4 KiB at least, that holds them: where it begins, and its size, lg2.
    pub(super) fn block(&self) -> (u64, u32) {
        let lg2 = (u64::BITS - (self.first ^ self.last).leading_zeros()).max(FRAME_LG2);
        (self.first >> lg2.min(63) << lg2.min(63), lg2)
    }

    /// The addresses of its pages of 4 KiB, if a command for each is better than one for the domain: the queue has room for them, and all tables remain.
    /// Of a single page one will do.
    pub(super) fn each(&self) -> Option<impl Iterator<Item = u64> + use<>> {
        let (first, last) = (self.first >> FRAME_LG2, if self.single { self.first } else { self.last } >> FRAME_LG2);
        (!self.tables && last - first < EACH_MAX).then(|| (first..=last).map(|page| page << FRAME_LG2))
    }
}

/// Commands of a page each that are posted at most: a queue of one frame has room for them, and one more. Linux's drivers, whose queues are larger, post up to
/// 512.
const EACH_MAX: u64 = 128;

/// What all kinds do with their queue of commands, of two words each.
pub(super) trait CommandQueue {
    /// The queue.
    fn commands(&mut self) -> &mut Ring;

    /// Hardware half: executes a command. False for a bad one, which stops the queue: its head stays there.
    fn obey(&self, ram: &mut Ram, command: [u64; 2], caches: &mut dyn Caches) -> bool;

    /// A command that does nothing but say that those before it are done.
    fn wait_command(&self) -> [u64; 2];

    /// Driver half: posts a command. The queue has room: whoever has posted has it executed.
    fn post(&mut self, ram: &mut Ram, command: [u64; 2]) {
        let fits = self.commands().push(ram, command);
        debug_assert!(fits, "the queue has room");
    }

    /// Driver half: posts [`Self::wait_command`].
    fn wait(&mut self, ram: &mut Ram) {
        self.post(ram, self.wait_command());
    }

    /// Both halves: the hardware executes what is posted. Where a bad command stops it, the driver puts one that does nothing in its place, as Linux does.
    fn execute_all(&mut self, ram: &mut Ram, caches: &mut dyn Caches) {
        while let Some(command) = self.commands().peek(ram) {
            if self.obey(ram, command, caches) {
                self.commands().skip();
            } else {
                let wait = self.wait_command();
                self.commands().replace(ram, wait);
            }
        }
    }
}
