//! `portico users set`: changes a user.

use serde_json::{Map, Value};

use super::show;
use crate::cli::who::Who;
use crate::cli::{CommandResult, Exit, Failure};

/// How often the command reads the user again because somebody else changed it meanwhile.
const TRIES: usize = 32;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "portico users set <USER> <CHANGE>… [OPTIONS]",
    group = clap::ArgGroup::new("change").required(true).multiple(true),
    after_help = "Roles and permissions take effect at the next check. A disabled user is logged out everywhere, \
                  and cannot log in until enabled again."
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    who: Who,
    /// The user's name
    #[arg(long, value_name = "NAME", group = "change")]
    username: Option<String>,
    /// Remove the name
    #[arg(long, group = "change", conflicts_with = "username")]
    no_username: bool,
    /// The user's email address
    #[arg(long, value_name = "ADDRESS", group = "change")]
    email: Option<String>,
    /// Remove the email address
    #[arg(long, group = "change", conflicts_with = "email")]
    no_email: bool,
    /// Replace all roles with this one; can be given several times
    #[arg(long = "role", value_name = "ROLE", group = "change")]
    roles: Vec<String>,
    /// Remove all roles
    #[arg(long, group = "change", conflicts_with = "roles")]
    no_roles: bool,
    /// Add this role
    #[arg(long = "add-role", value_name = "ROLE", group = "change", conflicts_with_all = ["roles", "no_roles"])]
    add_roles: Vec<String>,
    /// Remove this role
    #[arg(long = "remove-role", value_name = "ROLE", group = "change", conflicts_with_all = ["roles", "no_roles"])]
    remove_roles: Vec<String>,
    /// Replace all permissions with this one; can be given several times
    #[arg(long = "permission", value_name = "NAME", group = "change")]
    permissions: Vec<String>,
    /// Remove all permissions
    #[arg(long, group = "change", conflicts_with = "permissions")]
    no_permissions: bool,
    /// Add this permission
    #[arg(
        long = "add-permission",
        value_name = "NAME",
        group = "change",
        conflicts_with_all = ["permissions", "no_permissions"]
    )]
    add_permissions: Vec<String>,
    /// Remove this permission
    #[arg(
        long = "remove-permission",
        value_name = "NAME",
        group = "change",
        conflicts_with_all = ["permissions", "no_permissions"]
    )]
    remove_permissions: Vec<String>,
    /// Disable the user, and end all their sessions
    #[arg(long, group = "change")]
    disable: bool,
    /// Enable the user again
    #[arg(long, group = "change", conflicts_with = "disable")]
    enable: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A change to a list of names.
enum Names<'a> {
    Stay,
    Are(&'a [String]),
    Change { add: &'a [String], remove: &'a [String] },
}

pub(super) async fn run(args: &Args) -> CommandResult {
    let target = &args.who.target;
    let path = args.who.path().await?;
    for _ in 0..TRIES {
        // To add to a list, the command must know it, and it must not have changed when it is written.
        let (known, revision) =
            if args.depends() { target.get_revision(&path).await? } else { (Value::Null, None) };
        let change = args.change(&known["user"]);
        if let Some(changed) = target.patch(&path, &change, revision.as_deref()).await? {
            return show(&changed["user"], args.json);
        }
    }
    Err(Failure::new(Exit::Unavailable, "somebody else keeps changing this user; nothing was changed"))
}

impl Args {
    fn roles(&self) -> Names<'_> {
        Names::of(&self.roles, self.no_roles, &self.add_roles, &self.remove_roles)
    }

    fn permissions(&self) -> Names<'_> {
        Names::of(&self.permissions, self.no_permissions, &self.add_permissions, &self.remove_permissions)
    }

    /// Whether the change depends on the user's present values.
    fn depends(&self) -> bool {
        [self.roles(), self.permissions()].iter().any(|names| matches!(names, Names::Change { .. }))
    }

    /// The request body; fields that it leaves out stay as they are.
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

    /// The new list; `None`: no change.
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
