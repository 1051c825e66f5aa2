//! `portico users set`: what is to be different about a user.

use serde_json::{Map, Value};

use super::show;
use crate::cli::who::Who;
use crate::cli::{CommandResult, Exit, Failure};

/// How often a user is read anew, because somebody else changed them meanwhile.
const TRIES: usize = 32;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "portico users set <USER> <CHANGE>… [OPTIONS]",
    group = clap::ArgGroup::new("change").required(true).multiple(true),
    after_help = "Roles and permissions hold from the next check on. Who is disabled is logged out everywhere, \
                  and not let in until enabled again."
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    who: Who,
    /// The name
    #[arg(long, value_name = "NAME", group = "change")]
    username: Option<String>,
    /// No name any more
    #[arg(long, group = "change", conflicts_with = "username")]
    no_username: bool,
    /// The address
    #[arg(long, value_name = "ADDRESS", group = "change")]
    email: Option<String>,
    /// No address any more
    #[arg(long, group = "change", conflicts_with = "email")]
    no_email: bool,
    /// This role, and no other than those named like this
    #[arg(long = "role", value_name = "ROLE", group = "change")]
    roles: Vec<String>,
    /// No role any more
    #[arg(long, group = "change", conflicts_with = "roles")]
    no_roles: bool,
    /// This role too
    #[arg(long = "add-role", value_name = "ROLE", group = "change", conflicts_with_all = ["roles", "no_roles"])]
    add_roles: Vec<String>,
    /// This role no more
    #[arg(long = "remove-role", value_name = "ROLE", group = "change", conflicts_with_all = ["roles", "no_roles"])]
    remove_roles: Vec<String>,
    /// This permission, and no other than those named like this
    #[arg(long = "permission", value_name = "NAME", group = "change")]
    permissions: Vec<String>,
    /// No permission any more
    #[arg(long, group = "change", conflicts_with = "permissions")]
    no_permissions: bool,
    /// This permission too
    #[arg(
        long = "add-permission",
        value_name = "NAME",
        group = "change",
        conflicts_with_all = ["permissions", "no_permissions"]
    )]
    add_permissions: Vec<String>,
    /// This permission no more
    #[arg(
        long = "remove-permission",
        value_name = "NAME",
        group = "change",
        conflicts_with_all = ["permissions", "no_permissions"]
    )]
    remove_permissions: Vec<String>,
    /// Keep the user out, and end all of their sessions
    #[arg(long, group = "change")]
    disable: bool,
    /// Let the user in again
    #[arg(long, group = "change", conflicts_with = "disable")]
    enable: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What becomes of a list of names.
enum Names<'a> {
    Stay,
    Are(&'a [String]),
    Change { add: &'a [String], remove: &'a [String] },
}

pub(super) async fn run(args: &Args) -> CommandResult {
    let target = &args.who.target;
    let path = args.who.path().await?;
    for _ in 0..TRIES {
        // What is added to must be known, and still be so when it is written.
        let (known, revision) =
            if args.depends() { target.get_revision(&path).await? } else { (Value::Null, None) };
        let change = args.change(&known["user"]);
        if let Some(changed) = target.patch(&path, &change, revision.as_deref()).await? {
            return show(&changed["user"], args.json);
        }
    }
    Err(Failure::new(Exit::Unavailable, "somebody else changes this user all the time; nothing was changed"))
}

impl Args {
    fn roles(&self) -> Names<'_> {
        Names::of(&self.roles, self.no_roles, &self.add_roles, &self.remove_roles)
    }

    fn permissions(&self) -> Names<'_> {
        Names::of(&self.permissions, self.no_permissions, &self.add_permissions, &self.remove_permissions)
    }

    /// Whether the change depends on how the user is now.
    fn depends(&self) -> bool {
        [self.roles(), self.permissions()].iter().any(|names| matches!(names, Names::Change { .. }))
    }

    /// The body of the request; what it leaves out stays as it is.
    fn change(&self, user: &Value) -> Value {
        let text = |text: &Option<String>, none: bool| match text {
            Some(text) => Some(text.as_str().into()),
            None => none.then_some(Value::Null),
        };
        let changes = [
            ("username", text(&self.username, self.no_username)),
            ("email", text(&self.email, self.no_email)),
            ("roles", self.roles().applied_to(&user["roles"])),
            ("permissions", self.permissions().applied_to(&user["permissions"])),
            ("disabled", (self.disable || self.enable).then_some(self.disable.into())),
        ];
        let changes = changes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(changes.collect::<Map<_, _>>())
    }
}

impl<'a> Names<'a> {
    fn of(are: &'a [String], none: bool, add: &'a [String], remove: &'a [String]) -> Self {
        if none || !are.is_empty() {
            Self::Are(are)
        } else if add.is_empty() && remove.is_empty() {
            Self::Stay
        } else {
            Self::Change { add, remove }
        }
    }

    /// The list as it is to be; `None`: as it is.
    fn applied_to(&self, known: &Value) -> Option<Value> {
        match self {
            Self::Stay => None,
            Self::Are(names) => Some(Value::from(names.to_vec())),
            Self::Change { add, remove } => {
                let known = known.as_array().into_iter().flatten().filter_map(Value::as_str);
                let stays = known.filter(|name| !remove.iter().any(|removed| removed == name));
                Some(stays.chain(add.iter().map(String::as_str)).collect())
            }
        }
    }
}
