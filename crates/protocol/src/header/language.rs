//! Which language is a client written in?

/// The language a client says it is written in (`LanguageCode`); its number is the binary header's byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum Language {
    #[default]
    Java = 0,
    Cpp = 1,
    Dotnet = 2,
    Python = 3,
    Delphi = 4,
    Erlang = 5,
    Ruby = 6,
    Other = 7,
    Http = 8,
    Go = 9,
    Php = 10,
    Oms = 11,
    Rust = 12,
    NodeJs = 13,
}

impl Language {
    const NAMES: [(&'static str, Language); 14] = [
        ("JAVA", Language::Java),
        ("CPP", Language::Cpp),
        ("DOTNET", Language::Dotnet),
        ("PYTHON", Language::Python),
        ("DELPHI", Language::Delphi),
        ("ERLANG", Language::Erlang),
        ("RUBY", Language::Ruby),
        ("OTHER", Language::Other),
        ("HTTP", Language::Http),
        ("GO", Language::Go),
        ("PHP", Language::Php),
        ("OMS", Language::Oms),
        ("RUST", Language::Rust),
        ("NODE_JS", Language::NodeJs),
    ];

    /// The name Java's enum has for it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// By binary code; unknown codes are [`Language::Other`].
    pub fn from_code(code: u8) -> Language {
        Self::NAMES.get(code as usize).map_or(Language::Other, |(_, language)| *language)
    }

    /// By name in any case, or by a number written as text; unknown ones are [`Language::Other`].
    pub fn from_text(text: &str) -> Language {
        match text.parse::<u8>() {
            Ok(code) => Self::from_code(code),
            Err(_) => {
                Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map_or(Language::Other, |(_, language)| *language)
            }
        }
    }
}
