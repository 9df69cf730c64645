use super::*;

#[track_caller]
fn check(name: &str, simplified: &str, templates: &str, full: &str) {
    assert_eq!(demangle(name, Mode::None), name);
    assert_eq!(demangle(name, Mode::Simplified), simplified);
    assert_eq!(demangle(name, Mode::Templates), templates);
    assert_eq!(demangle(name, Mode::Full), full);
}

#[track_caller]
fn check_one(name: &str, expect: &str) {
    check(name, expect, expect, expect);
}

#[test]
fn functions_of_cpp() {
    check(
        "_ZN15PlatformMonitor4waitEm",
        "PlatformMonitor::wait",
        "PlatformMonitor::wait",
        "PlatformMonitor::wait(unsigned long)",
    );
    check(
        "_ZNSt6vectorIiSaIiEE9push_backEOi",
        "std::vector::push_back",
        "std::vector<int, std::allocator<int> >::push_back",
        "std::vector<int, std::allocator<int> >::push_back(int&&)",
    );
    check(
        "_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE4findEcm",
        "std::__cxx11::basic_string::find",
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::find",
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::find(char, unsigned long) const",
    );
    check("_Z3fooIiEvT_", "foo", "foo<int>", "void foo<int>(int)");
    check("_ZNK3foocvbEv", "foo::operator bool", "foo::operator bool", "foo::operator bool() const");
    check("_ZN3fooD2Ev", "foo::~foo", "foo::~foo", "foo::~foo()");
    check(
        "_ZN12_GLOBAL__N_13fooEv",
        "(anonymous namespace)::foo",
        "(anonymous namespace)::foo",
        "(anonymous namespace)::foo()",
    );
}

#[test]
fn functions_in_functions_of_cpp() {
    let short = "foo::bar()::{lambda()#1}::operator()";
    check("_ZZN3foo3barEiENKUlvE_clEv", short, short, "foo::bar(int)::{lambda()#1}::operator()() const");
    let short = "foo::bar() const::{lambda()#1}::operator()";
    check("_ZZNK3foo3barEiENKUlvE_clEv", short, short, "foo::bar(int) const::{lambda()#1}::operator()() const");
}

#[test]
fn clones_are_not_marked() {
    check("_ZL3fooi.isra.0", "foo", "foo", "foo(int)");
    check("_Z3foov.part.0.constprop.1", "foo", "foo", "foo()");
    check("_Z3foov.cold", "foo", "foo", "foo()");
    check("_Z3foov.llvm.1234567890", "foo", "foo", "foo()");
    check_one("_ZN3std2rt10lang_start17h0123456789abcdefE.llvm.12", "std::rt::lang_start");
    check_one("_RNCNvC5crate4main0.llvm.12", "crate::main::{closure#0}");
}

#[test]
fn where_parameters_are_not_shown_they_are_not_checked() {
    check("_Z3fooi@@V1", "foo", "foo", "_Z3fooi@@V1");
}

#[test]
fn thunks() {
    let full = "virtual thunk to std::basic_stringstream<char, std::char_traits<char>, std::allocator<char> >::~basic_stringstream()";
    check(
        "_ZTv0_n24_NSt18basic_stringstreamIcSt11char_traitsIcESaIcEED0Ev",
        "virtual thunk to std::basic_stringstream::~basic_stringstream()",
        full,
        full,
    );
    check_one("_ZThn8_N3FooD0Ev", "non-virtual thunk to Foo::~Foo()");
    check_one("_ZTch0_h16_N3Foo5cloneEv", "covariant return thunk to Foo::clone()");
}

#[test]
fn rust() {
    check_one("_ZN3std2rt10lang_start17h0123456789abcdefE", "std::rt::lang_start");
    check_one(
        "_ZN4core3ptr85drop_in_place$LT$std..rt..lang_start$LT$$LP$$RP$$GT$..$u7b$$u7b$closure$u7d$$u7d$$GT$17hc0ffee1234567890E",
        "core::ptr::drop_in_place<std::rt::lang_start<()>::{{closure}}>",
    );
    check(
        "_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE",
        "std::mem::align_of::<>",
        "std::mem::align_of::<std::mem::Discriminant>",
        "std::mem::align_of::<std::mem::Discriminant>",
    );
    check(
        "_RNvMs_NtCs4fqI2P2rA04_5alloc3vecINtB4_3VechE4push",
        "<alloc::vec::Vec<>>::push",
        "<alloc::vec::Vec<u8>>::push",
        "<alloc::vec::Vec<u8>>::push",
    );
    check_one("_RNCNvC5crate4main0", "crate::main::{closure#0}");
}

#[test]
fn types_of_rust() {
    #[track_caller]
    fn check_type(mangled: &str, expect: &str) {
        let expect = format!("a::b::<{expect}>");
        check(&format!("_RINvC1a1b{mangled}E"), "a::b::<>", &expect, &expect);
    }
    check_type("ThE", "(u8,)");
    check_type("ThhE", "(u8, u8)");
    check_type("Ahj10_", "[u8; 16]");
    check_type("Sh", "[u8]");
    check_type("QL_h", "&mut u8");
    check_type("PhOh", "*const u8, *mut u8");
    check_type("L_", "'_");
    check_type("FUKChEh", "unsafe extern \"C\" fn(u8) -> u8");
    check_type("FG0_RL0_RL1_hEu", "for<'a, 'b> fn(&'b &'a u8)");
    check_type("DNtC1a1tNtC1a1uEL_", "dyn a::t + a::u");
    check_type("DINtC1a1thEp1xhEL_", "dyn a::t<u8, x = u8>");
    check_type("Kb1_Kc61_Kc27_Kce9_Kin5_Kp", "true, 'a', '\\'', '\\u{e9}', -5, _");
    check_type("Kjffffffffffffffffff_", "0xffffffffffffffffff");
}

#[test]
fn paths_of_rust() {
    check_one("_RNvXC1aNtC1a1bNtC1a1t1c", "<a::b as a::t>::c");
    check("_RNvYhINtC1a1thE1c", "<u8 as a::t<>>::c", "<u8 as a::t<u8>>::c", "<u8 as a::t<u8>>::c");
    check_one("_RNcNtC1a1b0", "a::b::");
    check_one("_RNSNvC1a1b0", "a::b::{shim#0}");
    check_one("_RNCNCNvC5crate4mains_0s0_0", "crate::main::{closure#1}::{closure#2}");
    check_one("_RNvC1au8gdel_5qa", "a::g\u{f6}del");
    check_one("_RNvC1a1bC1x", "a::b");
}

#[test]
fn closures_that_alloy_does_not_read_stay() {
    for name in ["_RNCNCNvC5crate4main00", "_RNvNCNvC1a1b01c"] {
        check_one(name, name);
    }
}

#[test]
fn names_of_rust_that_are_wrong_stay() {
    for name in ["_RINvC1a1bRL0_hE", "_RINvC1a1bKj_E", "_RINvC1a1bKb2_E", "_RNvB_1a", "_RNvC1a9b", "_RNvC1a1bX"] {
        check_one(name, name);
    }
}

#[test]
fn a_short_name_of_rust_for_a_huge_one_stays_mangled() {
    // Each tuple is a pair of the one before; the first stands at 8, behind `INvC1a1b`.
    let doubling = |times: usize| {
        let (mut name, mut before) = ("_RINvC1a1bThhE".to_owned(), 8);
        for _ in 0..times {
            let at = name.len() - 2;
            let back = to_base_62(before);
            name.push_str(&format!("TB{back}B{back}E"));
            before = at;
        }
        name + "E"
    };
    assert_eq!(demangle(&doubling(1), Mode::Full), "a::b::<(u8, u8), ((u8, u8), (u8, u8))>");
    check(&doubling(30), "a::b::<>", &doubling(30), &doubling(30));
}

fn to_base_62(number: usize) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let Some(mut rest) = number.checked_sub(1) else { return "_".to_owned() };
    let mut digits = "_".to_owned();
    loop {
        digits.insert(0, char::from(DIGITS[rest % 62]));
        rest /= 62;
        if rest == 0 {
            return digits;
        }
    }
}

#[test]
fn names_that_are_not_mangled_stay() {
    for name in [
        "_GLOBAL__sub_I_main.cpp",
        "main.main",
        "_D3foo3barFiZv",
        "?bar@@YAXXZ",
        "memcpy",
        "_Z",
        "_ZN",
        "_RNv",
        "_R",
        "_start",
        "",
        "Funktionsname_mit_\u{e4}",
        "_ZN2f\u{e4}E",
    ] {
        check_one(name, name);
    }
}

#[test]
fn the_style_is_that_of_gnu() {
    check("_ZN1fILj25EE1gEv", "f::g", "f<25u>::g", "f<25u>::g()");
    check("_ZN1fILi5EE1gEv", "f::g", "f<5>::g", "f<5>::g()");
    check("_ZN1fILin5EE1gEv", "f::g", "f<-5>::g", "f<-5>::g()");
    check("_ZN1fILb1EE1gEv", "f::g", "f<true>::g", "f<true>::g()");
    check("_ZN1fILm7EE1gEv", "f::g", "f<7ul>::g", "f<7ul>::g()");
    check("_Z1fIiJEEvv", "f", "f<int>", "void f<int>()");
    check("_Z1fI1gIiEJEEvv", "f", "f<g<int> >", "void f<g<int> >()");
    check("_ZN3foolsIiEEvT_", "foo::operator<<", "foo::operator<< <int>", "void foo::operator<< <int>(int)");
    check("_ZN3fooltIiEEvT_", "foo::operator<", "foo::operator< <int>", "void foo::operator< <int>(int)");
    check("_Z1fSt8functionIF1aiEE", "f", "f", "f(std::function<a (int)>)");
    check(
        "_ZNSt8functionIF1aIiEvEEclEv",
        "std::function::operator()",
        "std::function<a<int> ()>::operator()",
        "std::function<a<int> ()>::operator()()",
    );
    let string = "std::basic_string<char, std::char_traits<char>, std::allocator<char> >";
    check(
        "_ZNSsC2EOSs",
        "std::basic_string::basic_string",
        &format!("{string}::basic_string"),
        &format!("{string}::basic_string(std::string&&)"),
    );
    let stream = "std::basic_ostream<char, std::char_traits<char> >";
    check(
        "_ZNSoD1Ev",
        "std::basic_ostream::~basic_ostream",
        &format!("{stream}::~basic_ostream"),
        &format!("{stream}::~basic_ostream()"),
    );
    check("_ZNSolsEb", "std::ostream::operator<<", "std::ostream::operator<<", "std::ostream::operator<<(bool)");
    check(
        "_Z1fIZNK1a1bEmSt8functionIF1cR1dEEEUlvE_EvT_",
        "f",
        "f<a::b() const::{lambda()#1}>",
        "void f<a::b(unsigned long, std::function<c (d&)>) const::{lambda()#1}>(a::b(unsigned long, std::function<c (d&)>) const::{lambda()#1})",
    );
    check_one("_ZTV3foo", "vtable for foo");
    check_one("_ZTT3foo", "VTT for foo");
}

#[test]
fn a_short_name_for_a_huge_one_stays_mangled() {
    // Each parameter is a pair of the one before: a<int, int>, a<a<int, int>, a<int, int> >, …
    let doubling = |times: u32| {
        let mut name = "_Z1f1aIiiE".to_owned();
        for n in 0..times {
            let before = char::from_digit(n, 36).unwrap().to_ascii_uppercase();
            name.push_str(&format!("S_IS{before}_S{before}_E"));
        }
        name
    };
    assert!(demangle(&doubling(3), Mode::Full).starts_with("f(a<int, int>, a<a<int, int>, a<int, int> >, a<a<"));
    check(&doubling(30), "f", "f", &doubling(30));
}

#[test]
fn deep_names_do_not_overflow_the_stack() {
    for depth in (1..400).chain([5_000]) {
        for (open, middle, close) in [
            ("1aI", "i", "E"),
            ("P", "i", ""),
            ("F", "i", "E"),
            ("XL_Z1fI", "i", "EE"),
            ("N1a", "", "E"),
            ("Z1fvE", "1g", ""),
        ] {
            let name = format!("_Z1f{}{middle}{}", open.repeat(depth), close.repeat(depth));
            let _ = demangle(&name, Mode::Full);
        }
        for (open, middle, close) in [
            ("R", "h", ""),
            ("FU", "h", "Eu"),
            ("NtM", "C1a", "h1b"),
            ("DI", "C1a", "EEL_"),
            ("IC1a", "", "E"),
            ("T", "", "E"),
        ] {
            let name = format!("_RINvC1a1b{}{middle}{}E", open.repeat(depth), close.repeat(depth));
            let _ = demangle(&name, Mode::Full);
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_name_makes_it_panic(name in "(_Z|_R|_ZN|___Z|_GLOBAL__I_)?[A-Za-z0-9_.$]{0,60}") {
        for mode in [Mode::Simplified, Mode::Templates, Mode::Full] {
            let _ = demangle(&name, mode);
        }
    }

    #[test]
    fn no_mangled_letters_make_it_panic(name in "_Z[NSTILEKvicbjlmPRO0-9_st]{0,40}(E|v|i){0,3}") {
        for mode in [Mode::Simplified, Mode::Templates, Mode::Full] {
            let _ = demangle(&name, mode);
        }
    }

    #[test]
    fn no_letters_of_rust_make_it_panic(name in "_R(INv|Nv)C1a1b[NCMXYIBTRQPFDKGLUASupshjvct0-9_aE]{0,60}") {
        for mode in [Mode::Simplified, Mode::Templates, Mode::Full] {
            let _ = demangle(&name, mode);
        }
    }

    #[test]
    fn a_name_of_its_own_stays(name in "[a-z][a-z0-9_.]{0,30}") {
        proptest::prop_assert_eq!(demangle(&name, Mode::Full), &*name);
    }
}
