//! The records in C and in Rust are laid out alike: the object's BTF against `abi`. Needs no rights.

use std::collections::BTreeMap;
use std::path::Path;

use abi::LAYOUTS;
use libbpf_rs::btf::types::{MemberAttr, Struct};
use libbpf_rs::btf::{Btf, HasSize as _};

#[test]
fn the_records_are_laid_out_in_rust_as_they_are_in_c() {
    let object = Path::new(env!("OUT_DIR")).join("sample.bpf.o");
    let btf = Btf::from_path(&object).expect("the object has BTF");
    for layout in LAYOUTS {
        let found: Struct<'_> =
            btf.type_by_name(layout.name).unwrap_or_else(|| panic!("struct {} is not in the object", layout.name));
        let fields: BTreeMap<String, usize> = found
            .iter()
            .map(|member| {
                let MemberAttr::Normal { offset } = member.attr else { panic!("bit fields are not mirrored") };
                let name = member.name.expect("fields have names").to_string_lossy().into_owned();
                (name, offset as usize / 8)
            })
            .collect();
        let expected = layout.fields.iter().map(|(name, offset)| ((*name).to_owned(), *offset)).collect();
        assert_eq!((found.size(), fields), (layout.size, expected), "struct {}", layout.name);
    }
}
