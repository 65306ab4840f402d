//! What does a process on this machine cost? Read from Linux' `/proc`; elsewhere, and for other users' processes, there is no answer.

use std::fs;
use std::path::Path;

/// The process that listens on a TCP port.
pub fn listener(port: u16) -> Option<u32> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|process: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
        files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| inodes.iter().any(|inode| link == Path::new(inode))))
    })
}

/// The inodes of sockets that listen on `port`, from the text of `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let words = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.filter(|words| words.len() > 9 && words[1].ends_with(&suffix) && words[3] == LISTEN).map(|words| words[9].to_owned()).collect()
}

/// How long the process' threads have run, in ns. Threads that have ended are not counted.
pub fn cpu_nanos(process: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of_thread = |path: &Path| fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse::<u64>().ok();
    Some(threads.flatten().filter_map(|thread| of_thread(&thread.path())).sum())
}

/// The process' anonymous memory that is resident, in bytes.
pub fn anonymous_bytes(process: u32) -> Option<u64> {
    status_bytes(process, "RssAnon:")
}

/// The pages of files that the process has mapped and that are resident, in bytes.
pub fn file_bytes(process: u32) -> Option<u64> {
    status_bytes(process, "RssFile:")
}

fn status_bytes(process: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Memory that is available without swapping, in bytes.
pub fn available_bytes() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_listening_sockets_of_one_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:2A9F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:2A9F 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n\
            2: 00000000:2694 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n";
        assert_eq!(listening_inodes(table, 10911), ["4711"]);
        assert_eq!(listening_inodes("", 10911), [""; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn finds_this_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(listener(port), Some(std::process::id()));
        assert!(cpu_nanos(std::process::id()).is_some() && anonymous_bytes(std::process::id()) > Some(0));
        assert!(available_bytes() > Some(0));
    }
}
