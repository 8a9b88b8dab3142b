//! SET_IRQS: what is checked whatever is enabled, and the triggers that a device has one of.

mod common;

use common::interrupts::*;
use common::*;

fn bound() -> (Machine, u32) {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    (m, fd)
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let (mut m, fd) = bound();
    const NONE: u32 = vfio::IRQ_SET_DATA_NONE;
    const EVENTFD: u32 = vfio::IRQ_SET_DATA_EVENTFD;
    let good = vfio::IrqSet { argsz: 20, flags: TRIGGER | EVENTFD, index: MSI_INDEX, start: 0, count: 2 };
    let argument = m.argument;
    for (change, error) in [
        // The data ends before the struct says so, and is not looked at.
        (vfio::IrqSet { argsz: 27, ..good }, Errno::EINVAL),
        (vfio::IrqSet { argsz: 19, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { index: 5, flags: 0, ..good }, Errno::EINVAL),
        (vfio::IrqSet { count: u32::MAX, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { start: 1, count: u32::MAX, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { start: u32::MAX, count: 1, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { start: 3, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { start: 4, count: 0, flags: TRIGGER | NONE, ..good }, Errno::EINVAL),
        (vfio::IrqSet { flags: TRIGGER | NONE | 64, ..good }, Errno::EINVAL),
        (vfio::IrqSet { flags: TRIGGER, ..good }, Errno::EINVAL),
        (vfio::IrqSet { flags: TRIGGER | NONE | EVENTFD, argsz: 28, ..good }, Errno::EINVAL),
        // What is left is which action the interrupt knows; none and several are none.
        (vfio::IrqSet { flags: NONE, ..good }, Errno::ENOTTY),
        (vfio::IrqSet { flags: NONE | TRIGGER | MASK, ..good }, Errno::ENOTTY),
        (vfio::IrqSet { flags: NONE | MASK, ..good }, Errno::ENOTTY),
        (vfio::IrqSet { flags: NONE | UNMASK, index: ERR, count: 1, ..good }, Errno::ENOTTY),
        (vfio::IrqSet { flags: NONE | MASK, index: REQ, count: 1, ..good }, Errno::ENOTTY),
    ] {
        let mut bytes = change.bytes();
        bytes.extend([0xff; 8]);
        assert_eq!(m.raw(fd, vfio::DEVICE_SET_IRQS, &bytes).0, Err(error), "{change:?}");
    }
    // Data that cannot be read is found before the action is.
    let edge = m.edge();
    m.kernel.poke(edge - 20, &vfio::IrqSet { argsz: 28, flags: EVENTFD, ..good }.bytes()).unwrap();
    assert_eq!(m.call_at(fd, vfio::DEVICE_SET_IRQS, edge - 20), Err(Errno::EFAULT));
    assert_eq!(m.argument, argument);
    m.finish();
}

#[test]
fn an_interrupt_that_the_device_lacks_cannot_be_set() {
    let (mut m, fd) = bound();
    m.kernel.add_irq(EDU, INTX, iommufd::IrqConfig::default()).unwrap();
    let eventfd = m.eventfd();
    assert_eq!(m.enable(fd, INTX, 0, &[eventfd]), Err(Errno::EINVAL));
    assert_eq!(m.disable(fd, INTX), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn errors_and_requests_have_a_trigger_each() {
    for index in [ERR, REQ] {
        let (mut m, fd) = bound();
        let (first, second) = (m.eventfd(), m.eventfd());
        let test = |m: &mut Machine, data: Data| m.set_irqs(fd, index, TRIGGER, 0, data);
        // Without a trigger there is nothing to test and nothing to take away.
        assert_eq!(test(&mut m, Data::None(1)), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::None(0)), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::Bool(&[1])), Ok(()));
        assert_eq!(test(&mut m, Data::Bool(&[])), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::Eventfd(&[])), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::Eventfd(&[-2])), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::Eventfd(&[77])), Err(Errno::EBADF));
        assert_eq!(test(&mut m, Data::Eventfd(&[fd as i32])), Err(Errno::EINVAL));
        assert_eq!(test(&mut m, Data::Eventfd(&[-1])), Ok(()));
        assert_eq!(test(&mut m, Data::Eventfd(&[first])), Ok(()));
        assert_eq!(test(&mut m, Data::None(1)), Ok(()));
        assert_eq!(test(&mut m, Data::Bool(&[0])), Ok(()));
        assert_eq!(m.signals(first), 1);
        assert_eq!(test(&mut m, Data::Eventfd(&[second])), Ok(()));
        assert_eq!(test(&mut m, Data::Bool(&[1])), Ok(()));
        assert_eq!((m.signals(first), m.signals(second)), (0, 1));
        assert_eq!(test(&mut m, Data::None(0)), Ok(()));
        assert_eq!(test(&mut m, Data::None(1)), Err(Errno::EINVAL));
        m.finish();
    }
}

#[test]
fn triggers_of_different_kinds_do_not_mind_each_other() {
    let (mut m, fd) = bound();
    let fds: Vec<i32> = (0..3).map(|_| m.eventfd()).collect();
    m.enable(fd, ERR, 0, &[fds[0]]).unwrap();
    m.enable(fd, REQ, 0, &[fds[1]]).unwrap();
    m.enable(fd, MSIX, 0, &[fds[2]]).unwrap();
    m.disable(fd, MSIX).unwrap();
    m.enable(fd, INTX, 0, &[fds[2]]).unwrap();
    m.set_irqs(fd, ERR, TRIGGER, 0, Data::None(1)).unwrap();
    m.set_irqs(fd, REQ, TRIGGER, 0, Data::None(1)).unwrap();
    assert_eq!([m.signals(fds[0]), m.signals(fds[1]), m.signals(fds[2])], [1, 1, 0]);
    m.finish();
}

#[test]
fn interrupts_keep_their_eventfds_and_the_end_of_the_fd_lets_go_of_all() {
    let (mut m, fd) = bound();
    let fds: Vec<i32> = (0..6).map(|_| m.eventfd()).collect();
    m.enable(fd, MSI_INDEX, 0, &fds[..4]).unwrap();
    m.enable(fd, ERR, 0, &fds[4..5]).unwrap();
    m.enable(fd, REQ, 0, &fds[5..6]).unwrap();
    for &eventfd in &fds {
        m.close(eventfd as u32);
    }
    assert_eq!(m.kernel.usage().eventfds, 6);
    // The device signals on, though nobody can read it any more.
    assert!(m.raise(EDU, MSI_INDEX, 2));
    m.close_bound(fd, EDU);
    assert_eq!(m.kernel.usage().eventfds, 0);
    assert!(!m.raise(EDU, MSI_INDEX, 2));
    m.finish();
}

#[test]
fn the_host_is_told_of_interrupts_that_are_not_there() {
    let (mut m, _) = bound();
    assert_eq!(m.kernel.raise(EDU, 9, 0), Err(Errno::EINVAL));
    assert_eq!(m.kernel.raise(DEVICES, MSIX, 0), Err(Errno::EINVAL));
    assert_eq!(m.kernel.lower(DEVICES, INTX), Err(Errno::EINVAL));
    assert_eq!(m.kernel.raise(EDU, MSIX, 0), Ok(0));
    assert_eq!(m.kernel.raise(EDU, MSI_INDEX, u32::MAX), Ok(0));
    for index in [INTX, MSI_INDEX, MSIX, ERR, 9] {
        assert!(!m.kernel.irq_enabled(EDU, index, 0));
        assert!(!m.kernel.irq_enabled(DEVICES, index, 0));
    }
    m.finish();
}
