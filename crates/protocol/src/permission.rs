//! What may clients do with the queues of a topic, or of a broker?

use serde::{Deserialize, Serialize};
use std::fmt;

/// The permission bits of a topic or a broker (Java's `PermName`): 4 lets clients read, 2 lets them write, 1 lets topics that a send
/// creates inherit the settings of this one.
///
/// As in Java, other bits are carried along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permission(pub i32);

impl Permission {
    /// Nothing is allowed.
    pub const NONE: Permission = Permission(0);
    /// New topics may inherit the settings of this one (`PERM_INHERIT`).
    pub const INHERIT: Permission = Permission(1);
    /// Clients may send (`PERM_WRITE`).
    pub const WRITE: Permission = Permission(2);
    /// Clients may pull (`PERM_READ`).
    pub const READ: Permission = Permission(4);
    /// Clients may send and pull: what topics usually have.
    pub const READ_WRITE: Permission = Permission(6);

    /// May clients read?
    pub const fn is_readable(self) -> bool {
        self.has(Permission::READ)
    }

    /// May clients write?
    pub const fn is_writable(self) -> bool {
        self.has(Permission::WRITE)
    }

    /// May new topics inherit the settings?
    pub const fn is_inherited(self) -> bool {
        self.has(Permission::INHERIT)
    }

    /// Are all bits of `wanted` set?
    pub const fn has(self, wanted: Permission) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// These bits and those of `more`.
    #[must_use]
    pub const fn with(self, more: Permission) -> Permission {
        Permission(self.0 | more.0)
    }

    /// These bits less those of `fewer`.
    #[must_use]
    pub const fn without(self, fewer: Permission) -> Permission {
        Permission(self.0 & !fewer.0)
    }

    /// Those of these bits that `limit` has too.
    #[must_use]
    pub const fn limited_to(self, limit: Permission) -> Permission {
        Permission(self.0 & limit.0)
    }
}

/// The number, as requests and bodies carry it.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_javas() {
        let shown = |bits| {
            let permission = Permission(bits);
            (permission.is_readable(), permission.is_writable(), permission.is_inherited())
        };
        assert_eq!((shown(0), shown(1), shown(2), shown(4)), {
            ((false, false, false), (false, false, true), (false, true, false), (true, false, false))
        });
        assert_eq!((shown(6), shown(7), shown(-1)), ((true, true, false), (true, true, true), (true, true, true)));
        assert_eq!(Permission::READ.with(Permission::WRITE), Permission::READ_WRITE);
        assert!(!Permission::READ.has(Permission::READ_WRITE) && Permission::READ.has(Permission::NONE));
    }

    #[test]
    fn bits_without_a_meaning_stay() {
        let odd = Permission(8 | 6);
        assert_eq!((odd.without(Permission::WRITE), odd.limited_to(Permission::READ)), (Permission(12), Permission::READ));
        assert_eq!(odd.to_string(), "14");
    }

    #[test]
    fn is_a_number_in_json() {
        let written = serde_json::to_string(&Permission::READ_WRITE).expect("writes");
        assert_eq!((written.as_str(), serde_json::from_str::<Permission>("9").expect("reads")), ("6", Permission(9)));
    }
}
