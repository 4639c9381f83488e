//! CONFIG SET: several settings at once, all of them or none.

use larder_resp::{Args, parse_integer};

use super::super::{Failure, Outcome};
use super::settings::{Change, SETTINGS, Setting, Step, own_settings};
use crate::{Context, Flow, Shared};

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    if !args.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    if args.len() > 2 + 2 * SETTINGS.len() {
        // There are not so many, so one is there twice or unknown.
        return Err(Failure::SYNTAX);
    }
    let mut steps: Vec<(&str, Step)> = Vec::new();
    let pairs = args
        .iter()
        .skip(2)
        .step_by(2)
        .zip(args.iter().skip(3).step_by(2));
    for (name, value) in pairs {
        let setting = find(ctx.shared, name)?;
        if steps.iter().any(|(known, _)| *known == setting.name) {
            return Err(refused(setting.name, "duplicate parameter"));
        }
        let step = check(ctx, setting, value).map_err(|why| refused(setting.name, &why))?;
        steps.push((setting.name, step));
    }
    for (_, step) in steps {
        step(ctx.shared);
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn find(shared: &Shared, name: &[u8]) -> Result<&'static Setting, Failure> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if let Some(setting) = SETTINGS.iter().find(|setting| is(setting.name)) {
        return Ok(setting);
    }
    match own_settings(shared).find(|(known, _)| is(known)) {
        Some((known, _)) => Err(refused(known, FROM_THE_START)),
        None => Err(Failure::from(format!(
            "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
            String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES_MAX)])
        ))),
    }
}

/// Bytes of an unknown name that an error shows.
const NAME_BYTES_MAX: usize = 128;

const FROM_THE_START: &str = "can't set immutable config: it is read when the server starts; change it in the \
     configuration and start anew";

fn refused(name: &str, why: &str) -> Failure {
    Failure::from(format!(
        "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
    ))
}

/// What has to be done to change `setting` to `value`, or why that cannot be.
fn check(ctx: &Context<'_>, setting: &'static Setting, value: &[u8]) -> Result<Step, String> {
    match &setting.change {
        Change::Never => Err(FROM_THE_START.to_owned()),
        Change::NotHere(why) => Err((*why).to_owned()),
        Change::Number(range, put) => {
            let number =
                parse_integer(value).ok_or("argument couldn't be parsed into an integer")?;
            if !range.contains(&number) {
                let (least, most) = (range.start(), range.end());
                return Err(format!(
                    "argument must be between {least} and {most} inclusive"
                ));
            }
            let put = *put;
            Ok(Box::new(move |shared| put(shared, number)))
        }
        Change::Text(read) => {
            let text = str::from_utf8(value).map_err(|_| "argument must be text")?;
            read(ctx, text)
        }
    }
}
