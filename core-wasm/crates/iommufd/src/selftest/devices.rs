//! Mock devices: made, bound and attached by one request, gone with their test object.
//!
//! To the rest of the kernel such a device is one of the machine, alone in its group, that no fd can open. Its place among the devices is used
//! again.

use super::viommus::CACHE;
use crate::attach::Port;
use crate::config::DeviceConfig;
use crate::file::Bound;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::request::Call;
use iommu::NO_PASID;
use uapi::selftest as api;
use uapi::{Errno, Result};

const KNOWN_FLAGS: u32 = api::MOCK_FLAGS_DEVICE_NO_DIRTY | api::MOCK_FLAGS_DEVICE_PASID;
/// Set in the requester id of a mock device, and of no PCI function.
const REQUESTER: u32 = 1 << 31;

/// What makes a device a mock one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mock {
    /// `MOCK_FLAGS_DEVICE_*`.
    pub(crate) flags: u32,
    /// Whether [`api::TEST_PASID_RESERVED`] was attached, or replaced after a refusal: the next time it is refused.
    refuses_pasid: bool,
    /// What stands for its cache.
    pub(crate) cache: [u32; CACHE],
}

/// Bits of a PASID of a device with these flags.
pub(crate) fn pasid_bits(flags: u32) -> u8 {
    if flags & api::MOCK_FLAGS_DEVICE_PASID != 0 { api::MOCK_PASID_WIDTH as u8 } else { 0 }
}

/// Whether pages can be marked that a device with these flags writes to.
pub(crate) fn tracks_dirty(flags: u32) -> bool {
    flags & api::MOCK_FLAGS_DEVICE_NO_DIRTY == 0
}

/// MOCK_DOMAIN and MOCK_DOMAIN_FLAGS: makes a device and its test object, binds it and attaches it. All or nothing.
pub(super) fn mock_domain(call: &mut Call) -> Result<()> {
    let mut request = api::TestMockDomainFlags::read(call.bytes()?);
    let flags = if request.op == api::TEST_OP_MOCK_DOMAIN { 0 } else { request.dev_flags };
    let context = call.context;
    // The id is taken first, as in Linux, and given back on failure. Until the request is done nothing finds it.
    let id = call.context()?.objects.add(ObjectKind::Reserved, 0)?;
    let made = call.kernel.bind_mock(context, flags).and_then(|(device, bound)| {
        request.out_stdev_id = id;
        request.out_idev_id = bound.id;
        let attached = call.kernel.attach(Port::plain(device, bound), request.id);
        let answered = attached.and_then(|hwpt| {
            request.out_hwpt_id = hwpt;
            let mut answer = [0; api::TestMockDomainFlags::SIZE];
            request.write(&mut answer);
            call.respond(&answer)
        });
        answered.map(|()| device).inspect_err(|_| call.kernel.leave_context(device, bound))
    });
    let objects = &mut call.context()?.objects;
    match made {
        Ok(device) => objects.finish(id, ObjectKind::Selftest, device),
        Err(_) => objects.remove(id),
    }
    made.map(|_| ())
}

/// MOCK_DOMAIN_REPLACE: attaches the device of a test object to something else.
pub(super) fn replace(call: &mut Call) -> Result<()> {
    let mut request = api::TestMockDomainReplace::read(call.bytes()?);
    let port = port(call, request.id, NO_PASID)?;
    request.pt_id = call.kernel.replace(port, request.pt_id)?;
    let mut answer = [0; api::TestMockDomainReplace::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// The transfers with a PASID of the device of a test object. ENOENT if that is none.
pub(super) fn port(call: &mut Call, id: u32, pasid: u32) -> Result<Port> {
    let device = call.context()?.objects.index(id, ObjectKind::Selftest)?;
    let bound = call.kernel.device(device)?.bound.ok_or(Errno::EIO)?;
    Ok(Port { device, bound, pasid })
}

impl Kernel {
    /// EINVAL where a mock device without dirty tracking is to come to a page table with it.
    pub(crate) fn mock_may_attach(&self, device: u32, tracks_dirty: bool) -> Result<()> {
        let lacks = self.device(device)?.mock.as_ref().is_some_and(|mock| mock.flags & api::MOCK_FLAGS_DEVICE_NO_DIRTY != 0);
        if lacks && tracks_dirty { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// ENOMEM where a mock device refuses that a PASID of it is pointed to a page table: every second time, with one PASID, to test how that is
    /// undone.
    pub(crate) fn mock_may_set_pasid(&mut self, device: u32, pasid: u32) -> Result<()> {
        let refuses = self.mock_with_reserved(device, pasid).is_some_and(|mock| core::mem::take(&mut mock.refuses_pasid));
        if refuses { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// A PASID of a mock device was pointed to a page table, or was blocked.
    pub(crate) fn mock_has_set_pasid(&mut self, device: u32, pasid: u32, attached: bool) {
        if let Some(mock) = self.mock_with_reserved(device, pasid) {
            mock.refuses_pasid = attached;
        }
    }

    /// The mock device, if this is the PASID that is special.
    fn mock_with_reserved(&mut self, device: u32, pasid: u32) -> Option<&mut Mock> {
        let mock = self.device_mut(device).ok()?.mock.as_mut()?;
        (pasid == api::TEST_PASID_RESERVED).then_some(mock)
    }

    /// Makes a mock device and binds it to an iommufd. EINVAL for unknown flags, ENOMEM.
    fn bind_mock(&mut self, context: u32, flags: u32) -> Result<(u32, Bound)> {
        if flags & !KNOWN_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let device = self.mock_device()?;
        let id = self.context_mut(context)?.objects.add(ObjectKind::Device, device)?;
        if let Err(error) = self.claim_group(device, context) {
            self.context_mut(context)?.objects.remove(id);
            return Err(error);
        }
        self.context_mut(context)?.objects.hold(id, 1);
        let bound = Bound { context, id };
        let entry = self.device_mut(device)?;
        entry.mock = Some(Mock { flags, cache: [api::TEST_DEV_CACHE_DEFAULT; CACHE], ..Mock::default() });
        entry.bound = Some(bound);
        Ok((device, bound))
    }

    /// The place of a mock device that is not bound: one that was left, or a new one with a group of its own.
    fn mock_device(&mut self) -> Result<u32> {
        if let Some(free) = self.devices.iter().position(|device| device.mock.is_some() && device.bound.is_none()) {
            return Ok(free as u32);
        }
        let group = self.add_group()?;
        let requester = REQUESTER | self.devices.len() as u32;
        let added = self.add_device(DeviceConfig { reset: false, page_requests: true, ..DeviceConfig::new(group, requester) });
        match added {
            Ok(device) => self.device_mut(device)?.mock = Some(Mock::default()),
            Err(_) => self.groups.truncate(group as usize),
        }
        added
    }

    /// DESTROY of a test object, which nothing holds: its device is detached and gone.
    pub(crate) fn destroy_selftest(&mut self, context: u32, id: u32, device: u32) {
        if let Ok(context) = self.context_mut(context) {
            context.objects.remove(id);
        }
        if let Some(bound) = self.device(device).ok().and_then(|device| device.bound) {
            self.leave_context(device, bound);
        }
    }

    /// Destroys all test objects of an iommufd, whose files are closed.
    pub(crate) fn destroy_selftests(&mut self, context: u32) {
        let end = self.context(context).map_or(0, |context| context.objects.end());
        for id in 1..end {
            if let Ok(device) = self.context(context).and_then(|context| context.objects.index(id, ObjectKind::Selftest)) {
                self.destroy_selftest(context, id, device);
            }
        }
    }
}
