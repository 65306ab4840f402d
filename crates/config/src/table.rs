//! What does one line of a settings table say, and what can be done with a table?

use crate::java_keys::JavaKeys;
use crate::nearest::nearest;
use crate::properties;

/// When a new value of a key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At once, when it is set in a running process.
    Now,
    /// At the next start: it is saved, and the running process keeps the old value.
    Restart,
    /// Never in this version: it is checked and saved, and nothing acts on it yet.
    NotYet,
}

/// One line of a settings table.
pub struct Key<C: 'static> {
    /// RocketMQ's own name of the key, or ours where RocketMQ has none.
    pub name: &'static str,
    /// The heading under which the key is described.
    pub section: &'static str,
    /// The unit of the value: `ms`, `s`, `h`, `bytes`, or nothing.
    pub unit: &'static str,
    /// When a new value takes effect.
    pub change: Change,
    /// What the key does, in a sentence or two.
    pub doc: &'static str,
    /// How the default is described where its value depends on the machine.
    pub default_shown: Option<&'static str>,
    #[doc(hidden)]
    pub allowed: fn() -> String,
    #[doc(hidden)]
    pub set: fn(&mut C, &str) -> bool,
    #[doc(hidden)]
    pub print: fn(&C) -> String,
}

impl<C> Key<C> {
    /// What is allowed, as the end of the sentence "allowed is ...".
    pub fn allowed(&self) -> String {
        (self.allowed)()
    }

    /// Gives the field of this key the value that `text` stands for; `false`, and no change, if it is not allowed. Blanks around the
    /// text do not count.
    pub fn set(&self, config: &mut C, text: &str) -> bool {
        (self.set)(config, text.trim())
    }

    /// The value as [`Key::set`] reads it.
    pub fn print(&self, config: &C) -> String {
        (self.print)(config)
    }
}

/// A role's settings: a plain struct whose fields are described by table lines.
pub trait Table: Clone + Default + PartialEq + std::fmt::Debug + 'static {
    /// The role in one word, also the prefix of its keys where two roles are configured together.
    const ROLE: &'static str;

    /// The table, in the order of the reference page.
    fn keys() -> &'static [Key<Self>];

    /// Keys of Apache RocketMQ for this role that are no settings here.
    fn java_keys() -> &'static [JavaKeys];

    /// Keys that must not be changed over the wire, besides those that never may.
    fn black_list(&self) -> &[String];

    /// Values that do not fit together, if any: the keys concerned, and why their values do not.
    fn contradiction(&self) -> Option<(&'static str, String)>;

    /// The line of `name`, which is matched exactly as Java does.
    fn key(name: &str) -> Option<&'static Key<Self>> {
        Self::keys().iter().find(|key| key.name == name)
    }

    /// The known name that differs least from `name`, if the difference looks like a typo.
    fn nearest_key(name: &str) -> Option<&'static str> {
        let own = Self::keys().iter().map(|key| key.name);
        let java = Self::java_keys().iter().flat_map(|group| group.keys).map(|(key, _)| *key);
        nearest(name, own.chain(java))
    }

    /// The whole configuration as properties text sorted by key: the body of GET_BROKER_CONFIG and GET_NAMESRV_CONFIG.
    fn to_properties(&self) -> String {
        let mut lines: Vec<String> = Self::keys().iter().map(|key| properties::print(key.name, &key.print(self))).collect();
        lines.sort_unstable();
        lines.concat()
    }
}

/// Declares a role's settings from one line per key:
/// `field: Type = default, "key", kind, "unit", When, "what it does";`, optionally with `shown "the default in words"` before the `;`.
/// The lines are the static `KEYS`, which the role returns from [`Table::keys`].
#[macro_export]
macro_rules! table {
    (
        $(#[$meta:meta])*
        $config:ident {
            $( $section:literal {
                $( $field:ident: $type:ty = $default:expr, $name:literal, $kind:expr, $unit:literal, $change:ident, $doc:literal
                    $(, shown $shown:literal)? ; )*
            } )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $config {
            $( $( #[doc = concat!("`", $name, "`: ", $doc)] pub $field: $type, )* )*
        }

        impl Default for $config {
            fn default() -> Self {
                Self { $( $( $field: $default, )* )* }
            }
        }

        static KEYS: &[$crate::table::Key<$config>] = &[
            $( $( $crate::table::Key {
                name: $name,
                section: $section,
                unit: $unit,
                change: $crate::table::Change::$change,
                doc: $doc,
                default_shown: $crate::table::first(&[$($shown)?]),
                allowed: || $crate::kind::Kind::<$type>::allowed(&$kind),
                set: |config, text| match $crate::kind::Kind::<$type>::parse(&$kind, text) {
                    Some(value) => {
                        config.$field = value;
                        true
                    }
                    None => false,
                },
                print: |config| $crate::kind::Kind::<$type>::print(&$kind, &config.$field),
            }, )* )*
        ];
    };
}

/// The only word of a list, if it has one: for [`table!`](crate::table!).
#[doc(hidden)]
pub const fn first(list: &[&'static str]) -> Option<&'static str> {
    match list {
        [first, ..] => Some(first),
        [] => None,
    }
}
