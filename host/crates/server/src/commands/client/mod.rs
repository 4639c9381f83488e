//! CLIENT: the connections of a tenant, and what one of them says of itself.

mod kill;
mod list;
mod own;
mod pause;
mod tracking;

use super::{Action, Category, Command, Flag, Group, Keys, reply_help};

pub(super) use own::checked_name;

pub(super) const COMMAND: Command = Command::container(
    "CLIENT",
    Group::Connection,
    "2.4.0",
    "Commands about connections",
    &[
        tracking::CACHING,
        GETNAME,
        tracking::GETREDIR,
        HELP_SUBCOMMAND,
        ID,
        INFO,
        KILL,
        LIST,
        NO_EVICT,
        NO_TOUCH,
        PAUSE,
        REPLY,
        SETINFO,
        SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        UNBLOCK,
        UNPAUSE,
    ],
);

const GETNAME: Command = Command {
    name: "GETNAME",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "2.6.9",
    summary: "Returns the name of this connection",
    action: Action::Run(own::getname),
};

const HELP_SUBCOMMAND: Command = Command {
    name: "HELP",
    flags: &[Flag::Loading, Flag::Stale],
    since: "5.0.0",
    summary: "Lists the subcommands",
    action: Action::Run(|ctx, _| reply_help(ctx, "CLIENT", &HELP)),
    ..GETNAME
};

const ID: Command = Command {
    name: "ID",
    since: "5.0.0",
    summary: "Returns the number of this connection",
    action: Action::Run(own::id),
    ..GETNAME
};

const INFO: Command = Command {
    name: "INFO",
    since: "6.2.0",
    summary: "Describes this connection",
    action: Action::Run(list::info),
    ..GETNAME
};

const LIST: Command = Command {
    name: "LIST",
    arity: -2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    since: "2.4.0",
    summary: "Describes the connections of the tenant",
    action: Action::Run(list::list),
    ..GETNAME
};

const KILL: Command = Command {
    name: "KILL",
    arity: -3,
    summary: "Ends connections",
    action: Action::Run(kill::kill),
    ..LIST
};

const NO_EVICT: Command = Command {
    name: "NO-EVICT",
    arity: 3,
    since: "7.0.0",
    summary: "Is accepted: no client is evicted here",
    action: Action::Run(own::no_evict),
    ..LIST
};

const NO_TOUCH: Command = Command {
    name: "NO-TOUCH",
    arity: 3,
    since: "7.2.0",
    summary: "Says whether reads of this connection leave a trace",
    action: Action::Run(own::no_touch),
    ..GETNAME
};

const PAUSE: Command = Command {
    name: "PAUSE",
    arity: -3,
    since: "3.0.0",
    summary: "Has clients wait before their next request",
    action: Action::Run(pause::pause),
    ..LIST
};

const REPLY: Command = Command {
    name: "REPLY",
    arity: 3,
    flags: &[Flag::NoScript, Flag::NoMulti, Flag::Loading, Flag::Stale],
    since: "3.2.0",
    summary: "Says whether this connection wants replies",
    action: Action::Run(own::reply),
    ..GETNAME
};

const UNBLOCK: Command = Command {
    name: "UNBLOCK",
    arity: -3,
    since: "5.0.0",
    summary: "Answers 0: no client is ever blocked",
    action: Action::Run(own::unblock),
    ..LIST
};

const UNPAUSE: Command = Command {
    name: "UNPAUSE",
    arity: 2,
    since: "6.2.0",
    summary: "Ends what CLIENT PAUSE began",
    action: Action::Run(pause::unpause),
    ..LIST
};

const SETINFO: Command = Command {
    name: "SETINFO",
    arity: 4,
    since: "7.2.0",
    summary: "Tells the name or version of the client library",
    action: Action::Run(own::setinfo),
    ..GETNAME
};

const SETNAME: Command = Command {
    name: "SETNAME",
    arity: 3,
    since: "2.6.9",
    summary: "Names this connection",
    action: Action::Run(own::setname),
    ..GETNAME
};

const HELP: [&str; 55] = [
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETNAME",
    "    Return the name of the current connection.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Describe the current connection.",
    "KILL <ip:port>",
    "    End the connection from there.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    End connections of which all of this is true:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      They come from there.",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      They came in there.",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      They are of that type.",
    "    * USER <username>",
    "      They speak for that user.",
    "    * ID <client-id>",
    "    * MAXAGE <seconds>",
    "      They are at least as old.",
    "    * SKIPME (YES|NO)",
    "      The current one is spared (the default: yes).",
    "LIST [options ...]",
    "    Describe the connections of the tenant. Options are:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Describe those of that type only.",
    "    * ID id [id ...]",
    "      Describe those with these IDs only.",
    "NO-EVICT (ON|OFF)",
    "    Is accepted: no client is evicted here.",
    "NO-TOUCH (ON|OFF)",
    "    Say whether reads of the current connection leave no trace, but for TOUCH.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Have clients wait for <timeout> milliseconds before what they ask for next,",
    "    or only before what may change something.",
    "REPLY (ON|OFF|SKIP)",
    "    Say whether the current connection wants replies.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are LIB-NAME and LIB-VER.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Return 0: no client is ever blocked.",
    "UNPAUSE",
    "    End what PAUSE began.",
];
