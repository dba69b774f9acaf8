use proptest::prelude::*;

use super::*;

#[test]
fn pictures_go_and_words_stay() {
    for (typed, expected) in [
        ("hello", "hello"),
        ("hello 😀 world", "hello world"),
        ("👩‍👩‍👧‍👦 5️⃣ ❤️ 🇩🇪 👍🏽", ""),
        ("© ™ ❤ ☺ #1 1️ ok", "© ™ ❤ ☺ #1 ok"),
        (
            "look <:gif:1> at <a:dance_2:123456789012345678>!",
            "look at !",
        ),
        (
            "<:not an emoji:1> <:gif:> <:gif:x>",
            "<:not an emoji:1> <:gif:> <:gif:x>",
        ),
        ("<:a<:b:1>:2>x", "x"),
        ("<@1> <@!22> <@&333> <#4>", "user user role room"),
        ("if a<b and c>d", "if a<b and c>d"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "",
        ),
    ] {
        assert_eq!(clean(typed), expected, "{typed:?}");
    }
}

#[test]
fn every_script_stays() {
    for text in [
        "Grüße, Œuvre, naïve, cafe\u{301}",
        "Привет, мир",
        "こんにちは、世界",
        "안녕하세요",
        "مرحبا بالعالم",
        "می\u{200c}خواهم",
        "שָׁלוֹם",
        "क\u{94d}\u{200d}ष हिन्दी",
        "สวัสดีครับ น้ำ",
        "Việt Nam tie\u{302}\u{301}ng",
        "葛\u{e0100}城",
        "مرحبا\u{200f}!",
    ] {
        assert_eq!(clean(text), text, "{text:?}");
    }
}

#[test]
fn code_stays_byte_for_byte() {
    for text in [
        "```rs\nlet a = \"😀\";\t\r\n\n\n\n   b\n```",
        "`<:gif:1> <@1> \u{202e}`",
        "``a ` b  😀``",
    ] {
        assert_eq!(clean(text), text, "{text:?}");
    }
    assert_eq!(clean("😀 see `a  😀` 😀"), "see `a  😀`");
    assert_eq!(clean("`a\0b`"), "`ab`");
}

#[test]
fn what_is_not_seen_goes() {
    for (typed, expected) in [
        ("a\u{202e}b\u{2066}c\u{2069}", "abc"),
        ("a\u{200b}b\u{2060}c\u{feff}d\u{ad}e", "abcde"),
        ("a\u{200d}b\u{200c}c", "abc"),
        ("\u{1b}[31mred\u{7}\0", "[31mred"),
        ("a\u{e0041}\u{e0042}", "a"),
        ("x\u{fe01}\u{e0101}y", "xy"),
        ("ㅤ\u{3164}\u{115f}hi", "hi"),
        ("مر\u{200f}\u{200f}\u{200f}", "مر\u{200f}"),
        ("م\u{200d}\u{200d}\u{200d}", "م\u{200d}"),
    ] {
        assert_eq!(clean(typed), expected, "{typed:?}");
    }
    let zalgo = format!("Z{}a", "\u{0321}\u{0353}".repeat(500));
    assert_eq!(clean(&zalgo), "Z\u{0321}\u{0353}\u{0321}\u{0353}a");
}

#[test]
fn space_is_tidied() {
    for (typed, expected) in [
        ("  a \t b  ", "a b"),
        ("a  \r\n\r\n\r\n\n  b", "a\n\nb"),
        ("a\u{2028}b\u{3000}\u{a0}c", "a\nb c"),
        (" \n 😀 \n ", ""),
        // what was apart stays apart
        ("``😀` a ```", "`` ` a ```"),
        ("`😀```a```", "` ```a```"),
        ("``\u{fe0f} `  😀  `", "`` `  😀  `"),
    ] {
        assert_eq!(clean(typed), expected, "{typed:?}");
    }
}

#[test]
fn a_name_is_one_line_that_calls_nobody() {
    assert_eq!(name(" @every\u{200b}one\nrow two"), "everyone");
    assert_eq!(name("<@&12345> *Ann* `x`"), "role Ann x");
    assert_eq!(name(&"é".repeat(90)).chars().count(), 40);
    assert_eq!(name("😀"), "");
}

/// What tags, code and hiding are made of, so that chance finds them.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "`",
            "``",
            "```",
            "<",
            ">",
            "<:",
            ":",
            "<a:",
            "<@",
            "<@&",
            "<#",
            "1",
            "a",
            " ",
            "\n",
            "\r",
            "\t",
            "😀",
            "\u{fe0f}",
            "\u{20e3}",
            "\u{200d}",
            "\u{200c}",
            "\u{200b}",
            "\u{202e}",
            "\u{301}",
            "\u{20dd}",
            "م",
            "क",
            "\u{94d}",
            "🇩",
            "👍",
            "🏽",
            "\0",
            "@everyone",
            "$ignore",
            "\u{e0041}",
            "\u{e0100}",
            "葛",
            "\u{3000}",
            "\u{200f}",
            "\u{1100}",
            "discord.gg/",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn clean_text_cleaned_again_is_the_same_and_never_longer(typed in nasty()) {
        let once = clean(&typed);
        prop_assert!(once.len() <= typed.len(), "{:?} grew to {:?}", typed, once);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn any_text_is_cleaned(typed in any::<String>()) {
        let once = clean(&typed);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn code_is_as_it_was(before in nasty(), code in "[^`\0]{1,40}", after in nasty()) {
        // a fence that nothing before or after can close or open
        let fence = "`".repeat(200);
        let block = format!("{fence}{code}{fence}");
        let before = before.replace('`', "");
        let after = after.replace('`', "");
        let cleaned = clean(&format!("{before}{block}{after}"));
        prop_assert!(cleaned.contains(&block), "{:?}", cleaned);
    }

    #[test]
    fn nothing_hidden_is_left_in_text(typed in nasty()) {
        let plain = typed.replace('`', "");
        for c in clean(&plain).chars() {
            prop_assert!(!matches!(c, '\u{fe0f}' | '\u{20e3}' | '\u{202a}'..='\u{202e}' | '\u{200b}' | '\0'
                | '\u{2066}'..='\u{2069}' | '\u{e0020}'..='\u{e007f}' | '😀' | '\u{1f1e6}'..='\u{1f1ff}'), "{:?}", c);
        }
    }

    #[test]
    fn a_name_stays_a_name(typed in nasty()) {
        let once = name(&typed);
        prop_assert!(!once.contains(['@', '\n', '`', '<']));
        prop_assert!(once.graphemes(true).count() <= MOST_NAME);
    }
}
