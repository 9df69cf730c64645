//! The names of BPF maps fit into what the kernel shows of them.

use super::finding::Finding;

/// `BPF_OBJ_NAME_LEN` is 16 and the last byte is zero.
const LONGEST: usize = 15;

/// The maps that a C file of `bpf/` defines, where their name is too long.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    if !path.starts_with("bpf/") {
        return Vec::new();
    }
    let long = |(number, line): (usize, &str)| {
        let name = map_name(line).filter(|name| name.len() > LONGEST)?;
        Some(Finding::fault(
            format!("{path}:{number}"),
            format!("the map {name} has {} characters; the kernel shows {LONGEST}", name.len()),
        ))
    };
    (1..).zip(text.lines()).filter_map(long).collect()
}

/// `} NAME SEC(".maps");`
fn map_name(line: &str) -> Option<&str> {
    line.trim().strip_prefix('}')?.split_once("SEC(\".maps\")").map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::super::finding::lines;
    use super::*;

    #[test]
    fn fifteen_characters_are_fine_and_sixteen_are_not() {
        let text = "struct {\n} fifteen_charact SEC(\".maps\");\nstruct {\n} sixteen_characte SEC(\".maps\");\n";
        assert_eq!(
            lines(check("bpf/a.bpf.h", text)),
            ["fault: bpf/a.bpf.h:4: the map sixteen_characte has 16 characters; the kernel shows 15"]
        );
    }

    #[test]
    fn only_the_kernel_side_is_looked_at() {
        assert_eq!(check("docs/a.md", "} sixteen_characte SEC(\".maps\");\n"), []);
    }
}
