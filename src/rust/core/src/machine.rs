//! What the machine, a container or a limit of the shell leaves to this process.

use std::fs::read_to_string;

/// Where the machine does not say how much memory it has.
const UNKNOWN: f64 = (8u64 << 30) as f64;

/// What a computation may take unless it is told otherwise, in bytes: half of the machine's memory, of its container's or of
/// the address space that is left to the process, whatever is least.
pub fn half_of_memory() -> f64 {
    let all = [Some(machine().unwrap_or(UNKNOWN)), container(), address_space()];
    0.5 * all.into_iter().flatten().fold(f64::INFINITY, f64::min)
}

/// Bytes of address space that the process may still take; `None` where there is no limit (`ulimit -v`) or none is known.
pub fn address_space() -> Option<f64> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let most = soft_limit(&limits, "Max address space")?;
    let status = read_to_string("/proc/self/status").ok()?;
    let taken = kib_after(&status, "VmSize:")?;
    Some((most - taken).max(0.0))
}

fn machine() -> Option<f64> {
    kib_after(&read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The memory of the control group, of version 2 or 1.
fn container() -> Option<f64> {
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or("/");
    let files = [
        format!("/sys/fs/cgroup{}/memory.max", own.trim_end_matches('/')),
        "/sys/fs/cgroup/memory.max".to_string(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_string(),
    ];
    // "max" is no number: no limit there
    files
        .iter()
        .filter_map(|file| read_to_string(file).ok()?.trim().parse::<f64>().ok())
        .reduce(f64::min)
}

fn soft_limit(limits: &str, name: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib_after(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(1024.0 * rest.split_whitespace().next()?.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_system_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max cpu time              unlimited            unlimited            seconds   \n\
            Max address space         1073741824           unlimited            bytes     \n";
        assert_eq!(soft_limit(limits, "Max address space"), Some(1073741824.0));
        assert_eq!(soft_limit(limits, "Max cpu time"), None);
        assert_eq!(soft_limit("", "Max address space"), None);
        assert_eq!(
            kib_after("Name: R\nVmSize:\t  551140 kB\n", "VmSize:"),
            Some(551140.0 * 1024.0)
        );
        assert!(half_of_memory() > 0.0);
    }
}
