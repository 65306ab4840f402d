//! Is this text an address, or a list of them?
//!
//! `host:port;host:port` as in `namesrvAddr` and NAMESRV_ADDR; an IPv6 host stands in brackets.

/// The addresses of a `;`-separated list, blanks around them removed and empty entries skipped, or `None` if one of them is no
/// `host:port`. A comma is accepted as a separator too, because many deployments write one.
pub fn split(text: &str) -> Option<Vec<String>> {
    text.split([';', ','])
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .map(|address| host_and_port(address).map(|_| address.to_owned()))
        .collect()
}

/// Host (without brackets) and port of `host:port` or `[v6]:port`.
pub fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.bytes().all(|digit| digit.is_ascii_digit()).then(|| port.parse().ok())??;
    let bare = match host.strip_prefix('[') {
        Some(bracketed) => {
            let bare = bracketed.strip_suffix(']')?;
            let without_scope = bare.split('%').next()?;
            without_scope.parse::<std::net::Ipv6Addr>().ok()?;
            bare
        }
        None => host,
    };
    let legal = host.starts_with('[') || is_host_name(bare);
    (port != 0 && legal).then_some((bare, port))
}

/// Whether `host` could be a host name or an IPv4 address.
pub fn is_host_name(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && !host.starts_with(['-', '.'])
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_text() {
        for (text, expected) in [
            ("10.0.0.1:9876", Some(&["10.0.0.1:9876"][..])),
            (" n1:9876 ; n2:9876;", Some(&["n1:9876", "n2:9876"])),
            ("n1:9876,n2:9877", Some(&["n1:9876", "n2:9877"])),
            ("[::1]:9876", Some(&["[::1]:9876"])),
            ("[fe80::1%eth0]:9876", Some(&["[fe80::1%eth0]:9876"])),
            ("", Some(&[])),
            ("n1", None),
            ("n1:", None),
            ("n1:0", None),
            ("n1:65536", None),
            ("n1:+1", None),
            (":9876", None),
            ("::1:9876", None),
            ("http://n1:9876", None),
            ("a b:9876", None),
            ("[n1]:9876", None),
        ] {
            let expected: Option<Vec<String>> = expected.map(|list| list.iter().map(|one| (*one).to_owned()).collect());
            assert_eq!(split(text), expected, "{text:?}");
        }
    }
}
