//! Mock devices that ask for pages.

use crate::object::ObjectKind;
use crate::page_request::PageRequest;
use crate::request::Call;
use uapi::Result;
use uapi::selftest as api;

/// TRIGGER_IOPF: a device asks for a page. What becomes of the request is not told: who triggers it is not who handles it.
pub(super) fn trigger(call: &mut Call) -> Result<()> {
    let request = api::TestTriggerIopf::read(call.bytes()?);
    let device = call.context()?.objects.index(request.dev_id, ObjectKind::Device)?;
    let fault = PageRequest {
        pasid: (request.pasid != 0).then_some(request.pasid),
        group: request.grpid,
        permissions: request.perm,
        address: request.addr,
        last: true,
    };
    // The answer goes to the device, which does nothing with it.
    let _ = call.kernel.report_fault(device, fault);
    Ok(())
}
