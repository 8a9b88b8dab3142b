//! SET_IRQS on INTx: a level that masks itself when it is signalled, until the program unmasks it.

mod common;

use common::interrupts::*;
use common::*;

/// A bound device whose INTx signals an eventfd: device_fd and eventfd.
fn enabled() -> (Machine, u32, i32) {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    let eventfd = m.eventfd();
    m.enable(fd, INTX, 0, &[eventfd]).unwrap();
    (m, fd, eventfd)
}

fn act(m: &mut Machine, fd: u32, action: u32) {
    m.set_irqs(fd, INTX, action, 0, Data::None(1)).unwrap();
}

#[test]
fn a_level_is_signalled_once_until_it_is_unmasked() {
    let (mut m, fd, eventfd) = enabled();
    assert!(m.kernel.irq_enabled(EDU, INTX, 0) && !m.kernel.irq_enabled(EDU, INTX, 1));
    assert!(m.raise(EDU, INTX, 0));
    assert!(!m.raise(EDU, INTX, 0));
    assert_eq!(m.signals(eventfd), 1);
    // Still asserted: the program is told at once.
    act(&mut m, fd, UNMASK);
    assert_eq!(m.signals(eventfd), 1);
    // And masked again with that.
    assert!(!m.raise(EDU, INTX, 0));
    assert_eq!(m.signals(eventfd), 0);
    m.kernel.lower(EDU, INTX).unwrap();
    act(&mut m, fd, UNMASK);
    assert_eq!(m.signals(eventfd), 0);
    assert!(m.raise(EDU, INTX, 0));
    assert_eq!(m.signals(eventfd), 1);
    m.finish();
}

#[test]
fn a_mask_holds_a_level_back() {
    let (mut m, fd, eventfd) = enabled();
    m.set_irqs(fd, INTX, MASK, 0, Data::Bool(&[0])).unwrap();
    assert!(m.raise(EDU, INTX, 0));
    m.kernel.lower(EDU, INTX).unwrap();
    act(&mut m, fd, UNMASK);
    assert_eq!(m.signals(eventfd), 1);
    m.set_irqs(fd, INTX, MASK, 0, Data::Bool(&[1])).unwrap();
    assert!(!m.raise(EDU, INTX, 0));
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Bool(&[0])).unwrap();
    assert_eq!(m.signals(eventfd), 0);
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Bool(&[1])).unwrap();
    assert_eq!(m.signals(eventfd), 1);
    m.finish();
}

#[test]
fn a_level_that_was_there_before_is_signalled_when_it_is_enabled() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    assert!(!m.raise(EDU, INTX, 0));
    let eventfd = m.eventfd();
    m.enable(fd, INTX, 0, &[eventfd]).unwrap();
    assert_eq!(m.signals(eventfd), 1);
    // A reset takes the level away.
    assert!(m.call_at(fd, vfio::DEVICE_RESET, 0).is_ok());
    act(&mut m, fd, UNMASK);
    assert_eq!(m.signals(eventfd), 0);
    m.finish();
}

#[test]
fn a_trigger_can_be_tested_changed_and_taken_away() {
    let (mut m, fd, first) = enabled();
    act(&mut m, fd, TRIGGER);
    m.set_irqs(fd, INTX, TRIGGER, 0, Data::Bool(&[0])).unwrap();
    m.set_irqs(fd, INTX, TRIGGER, 0, Data::Bool(&[1])).unwrap();
    assert_eq!(m.signals(first), 2);
    let second = m.eventfd();
    m.enable(fd, INTX, 0, &[second]).unwrap();
    act(&mut m, fd, TRIGGER);
    assert_eq!((m.signals(first), m.signals(second)), (0, 1));
    // No eventfd: enabled, and nobody is told.
    m.enable(fd, INTX, 0, &[-1]).unwrap();
    act(&mut m, fd, TRIGGER);
    assert!(!m.raise(EDU, INTX, 0));
    assert_eq!(m.enable(fd, INTX, 0, &[77]), Err(Errno::EBADF));
    assert_eq!(m.enable(fd, INTX, 0, &[fd as i32]), Err(Errno::EINVAL));
    assert!(m.kernel.irq_enabled(EDU, INTX, 0));
    m.disable(fd, INTX).unwrap();
    assert!(!m.kernel.irq_enabled(EDU, INTX, 0));
    m.finish();
}

#[test]
fn what_is_not_enabled_is_neither_masked_nor_tested() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    for action in [MASK, UNMASK, TRIGGER] {
        for data in [Data::None(1), Data::Bool(&[1]), Data::None(0)] {
            assert_eq!(m.set_irqs(fd, INTX, action, 0, data), Err(Errno::EINVAL), "{action} {data:?}");
        }
    }
    let eventfd = m.eventfd();
    m.enable(fd, MSIX, 0, &[eventfd]).unwrap();
    assert_eq!(m.enable(fd, INTX, 0, &[eventfd]), Err(Errno::EINVAL));
    m.disable(fd, MSIX).unwrap();
    m.enable(fd, INTX, 0, &[eventfd]).unwrap();
    assert_eq!(m.enable(fd, MSIX, 0, &[eventfd]), Err(Errno::EINVAL));
    assert_eq!(m.disable(fd, MSIX), Err(Errno::EINVAL));
    for action in [MASK, UNMASK] {
        assert_eq!(m.set_irqs(fd, INTX, action, 0, Data::None(0)), Err(Errno::EINVAL));
    }
    assert_eq!(m.set_irqs(fd, INTX, MASK, 0, Data::Eventfd(&[eventfd])), Err(Errno::ENOTTY));
    m.finish();
}

#[test]
fn an_eventfd_can_unmask() {
    let (mut m, fd, trigger) = enabled();
    let unmask = m.eventfd();
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[unmask])).unwrap();
    let other = m.eventfd();
    assert_eq!(m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[other])), Err(Errno::EBUSY));
    assert_eq!(m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[77])), Err(Errno::EBADF));
    assert_eq!(m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[fd as i32])), Err(Errno::EINVAL));
    assert!(m.raise(EDU, INTX, 0));
    m.signals(trigger);
    // Asserted still, so the unmask tells again; and its count is taken.
    assert_eq!(m.add(unmask, 3), Ok(8));
    assert_eq!((m.signals(trigger), m.signals(unmask)), (1, 0));
    m.kernel.lower(EDU, INTX).unwrap();
    m.add(unmask, 1).unwrap();
    assert!(m.raise(EDU, INTX, 0));
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[-1])).unwrap();
    m.kernel.lower(EDU, INTX).unwrap();
    m.add(unmask, 1).unwrap();
    assert!(!m.raise(EDU, INTX, 0));
    // One that was signalled before it was set unmasks at once.
    m.signals(trigger);
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[unmask])).unwrap();
    assert_eq!((m.signals(trigger), m.signals(unmask)), (1, 1));
    m.finish();
}

#[test]
fn an_unmask_ends_with_its_fd_and_with_the_interrupt() {
    let (mut m, fd, trigger) = enabled();
    let unmask = m.eventfd();
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[unmask])).unwrap();
    m.close(unmask as u32);
    assert_eq!(m.kernel.usage().eventfds, 1);
    let unmask = m.eventfd();
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[unmask])).unwrap();
    m.disable(fd, INTX).unwrap();
    m.close(unmask as u32);
    m.close(trigger as u32);
    assert_eq!(m.kernel.usage().eventfds, 0);
    m.finish();
}

#[test]
fn an_eventfd_that_is_both_trigger_and_unmask_does_not_go_round() {
    let (mut m, fd, eventfd) = enabled();
    m.set_irqs(fd, INTX, UNMASK, 0, Data::Eventfd(&[eventfd])).unwrap();
    assert!(m.raise(EDU, INTX, 0));
    m.add(eventfd, 1).unwrap();
    m.kernel.lower(EDU, INTX).unwrap();
    assert!(m.signals(eventfd) <= 2);
    m.finish();
}
