//! PASIDs of mock devices. To the requests here PASID 0 is like any other, so that with it they attach and detach transfers without one.

use super::devices::port;
use crate::attach::Port;
use crate::object::ObjectKind;
use crate::request::Call;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// PASID_ATTACH.
pub(super) fn attach(call: &mut Call) -> Result<()> {
    let mut request = api::TestPasidAttach::read(call.bytes()?);
    let port = port(call, request.id, request.pasid)?;
    request.pt_id = call.kernel.attach(port, request.pt_id)?;
    let mut answer = [0; api::TestPasidAttach::SIZE];
    request.write(&mut answer);
    call.respond(&answer).inspect_err(|_| call.kernel.detach(port))
}

/// PASID_REPLACE. It stays replaced where the answer cannot be written.
pub(super) fn replace(call: &mut Call) -> Result<()> {
    let mut request = api::TestPasidReplace::read(call.bytes()?);
    let port = port(call, request.id, request.pasid)?;
    request.pt_id = call.kernel.replace(port, request.pt_id)?;
    let mut answer = [0; api::TestPasidReplace::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// PASID_DETACH. Detaching what is not attached is no error.
pub(super) fn detach(call: &mut Call) -> Result<()> {
    let request = api::TestPasidDetach::read(call.bytes()?);
    let port = port(call, request.id, request.pasid)?;
    call.kernel.detach(port);
    Ok(())
}

/// PASID_CHECK_HWPT: whether a PASID is attached to this page table, with 0 whether it is attached to none. EINVAL if not.
pub(super) fn check_hwpt(call: &mut Call) -> Result<()> {
    let request = api::TestPasidCheckHwpt::read(call.bytes()?);
    let Port { device, pasid, .. } = port(call, request.id, request.pasid)?;
    if request.hwpt_id != 0 {
        let kind = call.context()?.objects.get(request.hwpt_id)?.kind;
        if !matches!(kind, ObjectKind::Hwpt | ObjectKind::Nested) {
            return Err(Errno::EINVAL);
        }
    }
    let set = call.kernel.set(call.kernel.device(device)?.set)?;
    let attached = set.attachment(pasid).map_or(0, |attachment| attachment.hwpt);
    if attached == request.hwpt_id { Ok(()) } else { Err(Errno::EINVAL) }
}
