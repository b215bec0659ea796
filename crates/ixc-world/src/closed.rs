//! Closed sets with names: an enum, all its members, and what they are called in both languages.
//!
//! One macro, so that a member cannot be without a name. Deliberately absent: reading names back; the
//! judges look words up in their own tables.

/// Makes a closed set of `Member "english" "中文"` rows.
macro_rules! closed {
    ($(#[$about:meta])* $name:ident { $($member:ident $english:literal $chinese:literal,)+ }) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = $english] $member,)+
        }

        impl $name {
            /// Every member, in order.
            pub const ALL: &[Self] = &[$(Self::$member,)+];

            /// The word for it, in small letters where it is no name.
            pub fn english(self) -> &'static str {
                match self {
                    $(Self::$member => $english,)+
                }
            }

            /// The word for it in Chinese.
            pub fn chinese(self) -> &'static str {
                match self {
                    $(Self::$member => $chinese,)+
                }
            }
        }
    };
}

pub(crate) use closed;
