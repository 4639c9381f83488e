//! POLICY: the policies that decide here, and what an operator may do about them.

use larder_engine::{PolicyRow, PolicyRuntime};
use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow, Order, Shared, User};

pub(super) const COMMAND: Command = Command::container(
    "POLICY",
    Group::Server,
    "7.2.0",
    "Commands about the policies that decide what is kept",
    &[
        DISABLE,
        ENABLE,
        HELP_SUBCOMMAND,
        INFO,
        LIST,
        RELOAD,
        ROLLBACK,
    ],
);

const LIST: Command = Command {
    name: "LIST",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Dangerous],
    since: "7.2.0",
    summary: "Lists the policies and the files that were refused",
    action: Action::Run(list),
};

const INFO: Command = Command {
    name: "INFO",
    arity: 3,
    summary: "Tells all there is to know of a policy",
    action: Action::Run(info),
    ..LIST
};

/// It takes a while.
const ORDERS: &[Flag] = &[
    Flag::Admin,
    Flag::NoScript,
    Flag::Loading,
    Flag::Stale,
    Flag::NoMulti,
];

const ENABLE: Command = Command {
    name: "ENABLE",
    arity: 3,
    flags: ORDERS,
    summary: "Puts a policy in force that was disabled or quarantined",
    action: Action::Run(|ctx, args| named(ctx, args, Order::Enable)),
    ..LIST
};

const DISABLE: Command = Command {
    name: "DISABLE",
    arity: 3,
    flags: ORDERS,
    summary: "Takes a policy out of force; its file stays",
    action: Action::Run(|ctx, args| named(ctx, args, Order::Disable)),
    ..LIST
};

const ROLLBACK: Command = Command {
    name: "ROLLBACK",
    arity: 3,
    flags: ORDERS,
    summary: "Puts the version of a policy before the present one in force",
    action: Action::Run(|ctx, args| named(ctx, args, Order::Rollback)),
    ..LIST
};

const RELOAD: Command = Command {
    name: "RELOAD",
    flags: ORDERS,
    summary: "Looks at the folder of policies now",
    action: Action::Run(reload),
    ..LIST
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "7.2.0", &[], |ctx, _| {
    reply_help(ctx, "POLICY", &HELP)
});

const HELP: [&str; 12] = [
    "DISABLE <name>",
    "    Take a policy out of force; its file stays.",
    "ENABLE <name>",
    "    Put a policy in force that was disabled or quarantined.",
    "INFO <name>",
    "    Tell all there is to know of a policy.",
    "LIST",
    "    List the policies and the files that were refused.",
    "RELOAD",
    "    Look at the folder of policies now.",
    "ROLLBACK <name>",
    "    Put the version before the present one in force; a second time, the newer one again.",
];

fn reload(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    Ok(Flow::Order(Order::Reload))
}

fn named(ctx: &Context<'_>, args: Args<'_>, order: fn(String) -> Order) -> Outcome {
    ctx.session.require_admin()?;
    Ok(Flow::Order(order(
        String::from_utf8_lossy(&args[2]).into_owned(),
    )))
}

/// The policies that a user may know of.
pub(crate) fn policies_for(shared: &Shared, user: &User) -> Vec<PolicyRow> {
    let mut rows = shared.policies.list();
    rows.retain(|row| user.knows_policies_of(&row.tenant));
    rows
}

fn list(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let rows = policies_for(ctx.shared, ctx.session.login.user());
    ctx.reply.array(rows.len());
    for row in rows {
        let kinds = kinds(&row);
        let fields = [
            ("name", &*row.name),
            ("file", &row.file),
            ("runtime", row.runtime.name()),
            ("kinds", &kinds),
            ("tenant", &row.tenant),
            ("state", row.state.name()),
            ("why", &row.why),
        ];
        ctx.reply.map(fields.len());
        for (name, value) in fields {
            ctx.reply.bulk(name.as_bytes());
            ctx.reply.bulk(value.as_bytes());
        }
    }
    Ok(Flow::Continue)
}

fn info(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let rows = policies_for(ctx.shared, ctx.session.login.user());
    let named = rows.iter().filter(|row| row.name.as_bytes() == &args[2]);
    // A file may have the name of a native policy; it is the one that somebody put there.
    let Some(row) = named.min_by_key(|row| row.runtime == PolicyRuntime::Native) else {
        return Err(Failure::new("ERR no policy of that name; see POLICY LIST"));
    };
    let fields = fields(row);
    ctx.reply.map(fields.len());
    for (name, value) in fields {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
    Ok(Flow::Continue)
}

fn kinds(row: &PolicyRow) -> String {
    let names: Vec<_> = row.kinds.iter().map(|kind| kind.name()).collect();
    names.join(",")
}

fn fields(row: &PolicyRow) -> Vec<(&'static str, String)> {
    let parameters: Vec<_> = row
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let figures = row.figures;
    let call_ns = figures.call_ns.checked_div(figures.calls).unwrap_or(0);
    vec![
        ("name", row.name.clone()),
        ("file", row.file.clone()),
        ("runtime", row.runtime.name().to_owned()),
        ("kinds", kinds(row)),
        ("tenant", row.tenant.clone()),
        ("keys", row.keys.clone()),
        ("state", row.state.name().to_owned()),
        ("why", row.why.clone()),
        ("version", row.version.clone()),
        ("digest", row.digest.clone()),
        ("loaded_ms", row.loaded_ms.to_string()),
        ("parameters", parameters.join(" ")),
        ("has_previous", row.has_previous.to_string()),
        ("calls", figures.calls.to_string()),
        ("events", figures.events.to_string()),
        ("mean_call_ns", call_ns.to_string()),
        ("traps", figures.traps.to_string()),
        ("deadlines_missed", figures.deadlines_missed.to_string()),
        ("wrong_answers", figures.wrong_answers.to_string()),
        ("refused_values", figures.refused_values.to_string()),
        ("instances", figures.instances.to_string()),
        ("memory_bytes", figures.memory_bytes.to_string()),
        ("log_lines", figures.log_lines.to_string()),
        ("log_lines_dropped", figures.log_lines_dropped.to_string()),
    ]
}
