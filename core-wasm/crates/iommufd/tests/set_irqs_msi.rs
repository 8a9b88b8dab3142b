//! SET_IRQS on MSI and MSI-X: vectors, each with an eventfd or none.

mod common;

use common::interrupts::*;
use common::*;

/// A bound device and four eventfds.
fn bound() -> (Machine, u32, [i32; 4]) {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    let fds = [0; 4].map(|_| m.eventfd());
    (m, fd, fds)
}

fn signals(m: &mut Machine, fds: [i32; 4]) -> [u64; 4] {
    fds.map(|fd| m.signals(fd))
}

#[test]
fn each_vector_signals_its_eventfd() {
    for index in [MSI_INDEX, MSIX] {
        let (mut m, fd, fds) = bound();
        m.enable(fd, index, 0, &[fds[0], -1, fds[2], fds[3]]).unwrap();
        let told = [0, 1, 2, 3, 4].map(|vector| m.raise(EDU, index, vector));
        assert_eq!(told, [true, false, true, true, false]);
        assert!(m.raise(EDU, index, 3));
        assert_eq!(signals(&mut m, fds), [1, 0, 1, 2]);
        assert_eq!([0, 1].map(|vector| m.kernel.irq_enabled(EDU, index, vector)), [true, false]);
        // The other kind is not enabled.
        assert!(!m.raise(EDU, MSI_INDEX + MSIX - index, 0));
        assert_eq!(m.kernel.lower(EDU, index), Ok(0));
        m.finish();
    }
}

#[test]
fn a_part_of_the_vectors_can_be_changed() {
    let (mut m, fd, fds) = bound();
    m.enable(fd, MSIX, 0, &fds).unwrap();
    m.enable(fd, MSIX, 1, &[-1, fds[0]]).unwrap();
    for vector in 0..4 {
        m.raise(EDU, MSIX, vector);
    }
    assert_eq!(signals(&mut m, fds), [2, 0, 0, 1]);
    // Any negative number is none, as in Linux.
    m.enable(fd, MSIX, 3, &[-7]).unwrap();
    assert!(!m.raise(EDU, MSIX, 3));
    m.finish();
}

#[test]
fn vectors_can_be_tested() {
    let (mut m, fd, fds) = bound();
    assert_eq!(m.set_irqs(fd, MSIX, TRIGGER, 0, Data::None(1)), Err(Errno::EINVAL));
    m.enable(fd, MSIX, 0, &[fds[0], fds[1], -1, fds[3]]).unwrap();
    m.set_irqs(fd, MSIX, TRIGGER, 1, Data::None(3)).unwrap();
    assert_eq!(signals(&mut m, fds), [0, 1, 0, 1]);
    m.set_irqs(fd, MSIX, TRIGGER, 0, Data::Bool(&[1, 0, 1, 2])).unwrap();
    assert_eq!(signals(&mut m, fds), [1, 0, 0, 1]);
    // Vectors that the device has and the program has not enabled are passed over.
    m.set_irqs(fd, MSIX, TRIGGER, 3, Data::None(5)).unwrap();
    assert_eq!(signals(&mut m, fds), [0, 0, 0, 1]);
    m.finish();
}

#[test]
fn vectors_that_were_not_enabled_first_cannot_be_added_unless_the_device_says_so() {
    let (mut m, fd, fds) = bound();
    m.enable(fd, MSIX, 0, &fds[..2]).unwrap();
    assert_eq!(m.enable(fd, MSIX, 2, &fds[2..]), Err(Errno::EINVAL));
    // To be nothing is what they are.
    m.enable(fd, MSIX, 2, &[-1]).unwrap();
    assert!(m.raise(EDU, MSIX, 0));
    m.disable(fd, MSIX).unwrap();
    m.kernel.add_irq(EDU, MSIX, iommufd::IrqConfig { count: 8, flags: 0 }).unwrap();
    m.enable(fd, MSIX, 0, &fds[..1]).unwrap();
    m.enable(fd, MSIX, 6, &fds[2..]).unwrap();
    assert!(m.raise(EDU, MSIX, 7) && !m.raise(EDU, MSIX, 5));
    m.enable(fd, MSIX, 5, &fds[1..2]).unwrap();
    assert!(m.raise(EDU, MSIX, 5));
    m.finish();
}

#[test]
fn a_bad_eventfd_switches_its_block_off() {
    let (mut m, fd, fds) = bound();
    for (bad, error) in [(77, Errno::EBADF), (fd as i32, Errno::EINVAL)] {
        // Nothing is enabled yet, and stays so.
        assert_eq!(m.enable(fd, MSIX, 0, &[fds[0], bad]), Err(error));
        assert!(!m.kernel.irq_enabled(EDU, MSIX, 0));
        assert_eq!(m.disable(fd, MSIX), Err(Errno::EINVAL));
        // As in Linux the block is off up to the vector that failed, and the others go on.
        m.enable(fd, MSIX, 0, &fds).unwrap();
        assert_eq!(m.enable(fd, MSIX, 1, &[fds[0], bad, fds[1]]), Err(error));
        assert_eq!([0, 1, 2, 3].map(|vector| m.raise(EDU, MSIX, vector)), [true, false, false, true]);
        m.disable(fd, MSIX).unwrap();
    }
    m.finish();
}

#[test]
fn vectors_can_be_enabled_without_an_eventfd_among_them() {
    let (mut m, fd, fds) = bound();
    assert_eq!(m.enable(fd, MSI_INDEX, 0, &[]), Err(Errno::ERANGE));
    // From vector 2 on none: that makes two, which can be given an eventfd later.
    m.enable(fd, MSI_INDEX, 2, &[]).unwrap();
    m.enable(fd, MSI_INDEX, 0, &fds[..2]).unwrap();
    assert_eq!(m.enable(fd, MSI_INDEX, 2, &fds[2..3]), Err(Errno::EINVAL));
    assert!(m.raise(EDU, MSI_INDEX, 1));
    m.finish();
}

#[test]
fn one_kind_is_enabled_at_a_time_and_disabling_is_told_by_no_vectors() {
    let (mut m, fd, fds) = bound();
    assert_eq!(m.disable(fd, MSI_INDEX), Err(Errno::EINVAL));
    m.enable(fd, MSI_INDEX, 0, &fds).unwrap();
    assert_eq!(m.enable(fd, MSIX, 0, &fds), Err(Errno::EINVAL));
    assert_eq!(m.disable(fd, MSIX), Err(Errno::EINVAL));
    m.disable(fd, MSI_INDEX).unwrap();
    assert!(!m.raise(EDU, MSI_INDEX, 0));
    m.enable(fd, MSIX, 0, &fds).unwrap();
    assert!(m.raise(EDU, MSIX, 0));
    m.finish();
}

#[test]
fn one_eventfd_can_serve_all_vectors() {
    let (mut m, fd, [one, ..]) = bound();
    m.enable(fd, MSIX, 0, &[one; 8]).unwrap();
    for vector in 0..8 {
        assert!(m.raise(EDU, MSIX, vector));
    }
    assert_eq!(m.signals(one), 8);
    m.close(one as u32);
    m.enable(fd, MSIX, 0, &[-1; 8]).unwrap();
    assert_eq!(m.kernel.usage().eventfds, 3);
    m.finish();
}
