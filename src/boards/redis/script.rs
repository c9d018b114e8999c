//! The scripts, and how they are called.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

macro_rules! scripts {
    ($($name:ident = $file:literal),+ $(,)?) => {
        /// A script.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name {
            $(#[doc = $file] $name),+
        }

        impl Name {
            fn script(self) -> &'static Script {
                match self {
                    $(Self::$name => {
                        static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
                            Script::new(concat!(
                                include_str!("lua/prelude.lua"),
                                include_str!(concat!("lua/", $file)),
                            ))
                        });
                        &SCRIPT
                    })+
                }
            }
        }
    };
}

scripts!(
    Post = "post.lua",
    Requirements = "requirements.lua",
    Claim = "claim.lua",
    NextExpiry = "next_expiry.lua",
    Renew = "renew.lua",
    Release = "release.lua",
    Complete = "complete.lua",
    Wake = "wake.lua",
    Pulse = "pulse.lua",
    Meet = "meet.lua",
    Snapshot = "snapshot.lua",
    Restore = "restore.lua",
    Rebuild = "rebuild.lua",
    Register = "register.lua",
    Unregister = "unregister.lua",
    Conductors = "conductors.lua",
    SetAside = "set_aside.lua",
    Probe = "probe.lua",
);

/// A script with its arguments.
pub(super) struct Call {
    name: Name,
    args: Vec<Arg>,
}

enum Arg {
    Text(String),
    Number(i64),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl Call {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            args: Vec::new(),
        }
    }

    #[expect(private_bounds, reason = "text and numbers, nothing else")]
    pub(super) fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// What is to be sent; `board` is the key that all others begin with.
    pub(super) fn on(&self, board: &str) -> ScriptInvocation<'static> {
        let mut invocation = self.name.script().prepare_invoke();
        invocation.key(board);
        for arg in &self.args {
            match arg {
                Arg::Text(text) => invocation.arg(text.as_str()),
                Arg::Number(number) => invocation.arg(*number),
            };
        }
        invocation
    }
}
