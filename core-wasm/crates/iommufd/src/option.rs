//! OPTION: settings of an iommufd and of an IOAS.

use crate::context::Context;
use crate::hwpt::Hwpt;
use crate::ioas::Ioas;
use crate::pages::Charge;
use crate::request::Call;
use crate::slab::Slab;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// Where the value is in the struct.
const VAL64: u64 = 16;

/// OPTION.
pub(crate) fn option(call: &mut Call) -> Result<()> {
    let mut request = api::Option::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let may_charge = call.kernel.limits.sys_resource;
    let context = call.context()?;
    match request.option_id {
        api::OPTION_RLIMIT_MODE => rlimit_mode(context, &mut request, may_charge)?,
        api::OPTION_HUGE_PAGES => huge_pages(context, &mut request)?,
        _ => return Err(Errno::EOPNOTSUPP),
    }
    // Linux writes the value back whichever way it went.
    call.respond_at(VAL64, &request.val64.to_le_bytes())
}

impl Ioas {
    /// Lets page tables have pages of the smallest size alone, or not any more. EINVAL where they have others already, EADDRINUSE for areas that
    /// are no whole pages; nothing changed then.
    pub(crate) fn set_small_pages(&mut self, hwpts: &Slab<Hwpt>, small: bool) -> Result<()> {
        if small && self.small_pages {
            return Ok(());
        }
        if small && !self.hwpts.is_empty() && !self.space.is_empty() {
            return Err(Errno::EINVAL);
        }
        let before = core::mem::replace(&mut self.small_pages, small);
        self.update_alignment(hwpts).inspect_err(|_| self.small_pages = before)
    }
}

/// Whom pinned memory is charged to: 0 the user, 1 the process. Only before there are objects.
fn rlimit_mode(context: &mut Context, request: &mut api::Option, may_charge: bool) -> Result<()> {
    if request.object_id != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    match request.op {
        api::OPTION_OP_GET => request.val64 = u64::from(context.charge == Charge::Process),
        api::OPTION_OP_SET if !may_charge => return Err(Errno::EPERM),
        api::OPTION_OP_SET if context.objects.len() != 0 => return Err(Errno::EBUSY),
        api::OPTION_OP_SET => {
            context.charge = match request.val64 {
                0 => Charge::User,
                1 => Charge::Process,
                _ => return Err(Errno::EINVAL),
            };
        }
        _ => return Err(Errno::EOPNOTSUPP),
    }
    Ok(())
}

/// Whether page tables of an IOAS may have large pages.
fn huge_pages(context: &mut Context, request: &mut api::Option) -> Result<()> {
    let index = context.objects.index(request.object_id, crate::object::ObjectKind::Ioas)?;
    let Context { ioases, hwpts, .. } = context;
    let ioas = ioases.get_mut(index).ok_or(Errno::EIO)?;
    match (request.op, request.val64) {
        (api::OPTION_OP_GET, _) => request.val64 = u64::from(!ioas.small_pages),
        (api::OPTION_OP_SET, 0 | 1) => ioas.set_small_pages(hwpts, request.val64 == 0)?,
        (api::OPTION_OP_SET, _) => return Err(Errno::EINVAL),
        _ => return Err(Errno::EOPNOTSUPP),
    }
    Ok(())
}
