use proptest::prelude::*;

use super::*;

#[test]
fn an_answer_calls_nobody() {
    for (said, expected) in [
        ("Good day, @everyone!", "Good day, everyone!"),
        ("@@@HERE we are", "HERE we are"),
        ("@every\u{200b}one", "everyone"),
        ("@\u{202e}here", "here"),
        ("<@1> <@!2> <@&3> in <#4>", "user user role in <#4>"),
        ("<@<@1>>", "<@user>"),
        ("@her<@&1>", "@herrole"),
        ("@hi, a@b.example, here", "@hi, a@b.example, here"),
        ("`@everyone`", "`everyone`"),
        ("\u{1b}[2Jclear\0", "[2Jclear"),
        ("👩‍👩‍👧 ❤️ 1️⃣", "👩‍👩‍👧 ❤️ 1️⃣"),
    ] {
        assert_eq!(fit(said, MOST_UNITS), expected, "{said:?}");
    }
}

#[test]
fn an_answer_invites_nowhere() {
    for (said, expected) in [
        ("join discord.gg/abc now", "join (no invitations) now"),
        ("https://www.DISCORD.gg/abc", "(no invitations)"),
        (
            "[x](https://discord.com/invite/abc)",
            "[x]((no invitations))",
        ),
        ("dis\u{200b}cord。gg/abc.", "(no invitations)"),
        (
            "<https://canary.discordapp.com/invite/a>",
            "<(no invitations)>",
        ),
        (
            "https://discord.com/oauth2/authorize?client_id=1 x",
            "(no invitations) x",
        ),
        (
            "https://discord.com/developers/docs",
            "https://discord.com/developers/docs",
        ),
        (
            "https://example.org/discord.gg",
            "https://example.org/discord.gg",
        ),
    ] {
        assert_eq!(fit(said, MOST_UNITS), expected, "{said:?}");
    }
}

#[test]
fn a_cut_leaves_graphemes_whole_and_fences_closed() {
    assert_eq!(fit("abcdef", 6), "abcdef");
    assert_eq!(fit("abcdef", 4), "abc…");
    // a family is eleven units
    assert_eq!(fit("a👩‍👩‍👧‍👦b", 12), "a…");
    assert_eq!(
        fit("```\nlet a = 1;\nlet b = 2;\n```", 17),
        "```\nlet a = …\n```"
    );
    assert_eq!(fit("`````abcdefghijk", 4), "…");
    assert_eq!(fit("abc", 0), "");
}

fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "@",
            "@@",
            "everyon",
            "e",
            "her",
            "here",
            "<@",
            "<@&",
            "1",
            ">",
            "discord",
            ".",
            "。",
            "gg",
            "/",
            "com/invite",
            "https://",
            "```",
            "`",
            "\n",
            " ",
            "\u{200b}",
            "\u{202e}",
            "\u{301}",
            "👩‍👩‍👧",
            "oauth2/authorize",
            "com",
            "api/",
            "E",
            "user",
            "HERE",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_answer_is_armed_or_too_long(said in nasty(), most in 0_usize..80) {
        let answer = fit(&said, most);
        prop_assert!(units(&answer) <= most);
        let lower = answer.to_lowercase();
        for armed in ["@everyone", "@here", "discord.gg/", "discord.com/invite/", "discord.com/oauth2/authorize"] {
            prop_assert!(!lower.contains(armed), "{:?}", answer);
        }
        for (at, _) in answer.match_indices("<@") {
            let end = answer[at..].find('>').map_or(answer.len(), |end| at + end + 1);
            prop_assert_eq!(tag_kind(&answer[at..end]), None, "{:?}", answer);
        }
    }

    #[test]
    fn what_is_said_again_is_the_same(said in nasty()) {
        let once = fit(&said, MOST_UNITS);
        prop_assert_eq!(fit(&once, MOST_UNITS), once);
    }

    #[test]
    fn a_cut_closes_what_it_opens(said in "[a-z` \n]{0,80}", most in 20_usize..60) {
        let answer = fit(&said, most);
        if answer != said {
            prop_assert_eq!(code::open_fence(&answer), None, "{:?}", answer);
        }
    }
}
