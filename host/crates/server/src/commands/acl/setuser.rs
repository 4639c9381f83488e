//! ACL SETUSER.

use larder_resp::Args;

use super::{Context, Failure, Flow, Outcome};
use crate::users::{apply_all, join_selectors};

/// Bytes a user's name may have.
const NAME_BYTES_MAX: usize = 256;

/// A new user works on the tenant of whoever makes them, and is no administrator.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let name = checked_name(&args[2])?;
    let rules = join_selectors(args.iter().skip(3)).map_err(|open| {
        let open = String::from_utf8_lossy(open);
        Failure::from(format!(
            "ERR Unmatched parenthesis in acl selector starting at '{open}'."
        ))
    })?;
    let tenant = &ctx.session.tenant;
    let changed = ctx.shared.users.set(name, tenant, |profile| {
        apply_all(profile, rules.iter().map(Vec::as_slice)).map_err(|(rule, wrong)| {
            let rule = String::from_utf8_lossy(rule);
            Failure::from(format!(
                "ERR Error in ACL SETUSER modifier '{rule}': {wrong}"
            ))
        })
    });
    changed.map_err(|failure| failure.unwrap_or(Failure::new("ERR there are too many users")))?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn checked_name(name: &[u8]) -> Result<&str, Failure> {
    if name.iter().any(|byte| *byte == b' ' || *byte == 0) {
        return Err(Failure::new(
            "ERR Usernames can't contain spaces or null characters",
        ));
    }
    std::str::from_utf8(name)
        .ok()
        .filter(|name| name.len() <= NAME_BYTES_MAX)
        .ok_or(Failure::new(
            "ERR Usernames have to be UTF-8 and may have 256 bytes at most",
        ))
}
