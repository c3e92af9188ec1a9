//! Text and the character set that has to carry it.

use super::*;

#[test]
fn character_sets_carry_the_text_or_the_result_is_held() {
    let set = 0x0008_0005;
    let name = 0x0010_0010;
    let latin = |made: Made| made.with(set, "ISO_IR 100").with(name, b"M\xfcller^J\xf6rg");
    let cyrillic = |made: Made| made.with(set, "ISO_IR 144").with(name, b"\xbb\xee\xda");
    let judge = |input: Made, result: Made| judged_as(GateMode::Repair, &[input], &result, Known::default());
    let bytes = |made: &Option<Made>, tag| made.as_ref().expect("it goes").elements[&tag].1.clone();

    // The same name in another set.
    let unicode = Made::result().with(set, "ISO_IR 192").with(name, "Müller^Jörg");
    assert_eq!(held(&judge(latin(Made::input(1)), unicode).0), []);
    // The attribute was left out: the input's.
    let (examined, sent) = judge(
        latin(Made::input(1)),
        Made::result().with(name, b"M\xfcller^J\xf6rg"),
    );
    assert_eq!(filled(&examined), ["Specific Character Set (0008,0005)"]);
    assert_eq!(bytes(&sent, set), b"ISO_IR 100");
    // … but not where it reads as something else.
    let (examined, _) = judge(latin(Made::input(1)), Made::result().with(name, "Müller^Jörg"));
    assert_eq!(held(&examined)[0].0, "Patient's Name (0010,0010)");
    // Filled in, into ASCII: with its set.
    let (_, sent) = judge(latin(Made::input(1)), Made::result().without(name));
    assert_eq!(
        (bytes(&sent, set), bytes(&sent, name)),
        (b"ISO_IR 100".to_vec(), b"M\xfcller^J\xf6rg".to_vec())
    );
    // … into Unicode: written anew.
    let (_, sent) = judge(
        latin(Made::input(1)),
        Made::result().with(set, "ISO_IR 192").without(name),
    );
    assert_eq!(
        (bytes(&sent, set), bytes(&sent, name)),
        (b"ISO_IR 192".to_vec(), "Müller^Jörg".into())
    );
    // … into a set that has not its letters: all of the object becomes Unicode.
    let described = |made: Made| {
        made.with(set, "ISO_IR 100")
            .without(name)
            .with(0x0008_103E, b"gepr\xfcfte")
    };
    let (examined, sent) = judge(cyrillic(Made::input(1)), described(Made::result()));
    assert_eq!(held(&examined), []);
    assert_eq!(bytes(&sent, set), b"ISO_IR 192");
    assert_eq!(
        (bytes(&sent, name), bytes(&sent, 0x0008_103E)),
        ("Люк".into(), "geprüfte".into())
    );
    // … unless some of it cannot be read for certain.
    for result in [
        described(Made::result()).with(0x0008_103E, b"\xc3\x9f"),
        described(Made::result()).raw(0x0009_1001, b"UN", b"gepr\xfcft"),
    ] {
        let (examined, sent) = judge(cyrillic(Made::input(1)), result);
        assert_eq!(held(&examined)[0].0, "Specific Character Set (0008,0005)");
        assert!(sent.is_none());
    }
    // … or stands within a sequence.
    let encoder = Made::result().encoder();
    let item = encoder
        .item(&encoder.element(0x0008_0104, *b"LO", b"gepr\xfcft").unwrap())
        .unwrap();
    let nested = Made::result()
        .with(set, "ISO_IR 100")
        .without(name)
        .raw(0x0008_1140, b"SQ", &item);
    assert_eq!(held(&judge(cyrillic(Made::input(1)), nested).0).len(), 1);
}

#[test]
fn text_that_its_character_set_does_not_have_is_told() {
    let text = |made: Made| made.with(0x0008_103E, b"gepr\xfcft");
    let judge = |mode, result: &Made| judged_as(mode, &[Made::input(1)], result, Known::default()).0;
    let noted = |examined: &Examined| {
        let notes = examined.findings.iter().filter(|f| f.action == GateAction::Noted);
        notes
            .filter(|f| f.attribute.starts_with("Specific Character Set"))
            .count()
    };
    // Nothing says how it is to be read.
    let bare = text(Made::result());
    assert_eq!(
        (
            held(&judge(GateMode::Repair, &bare)).len(),
            noted(&judge(GateMode::Repair, &bare))
        ),
        (0, 1)
    );
    assert_eq!(held(&judge(GateMode::Strict, &bare)).len(), 1);
    // It says so wrongly.
    let wrong = text(Made::result().with(0x0008_0005, "ISO_IR 192"));
    assert_eq!(noted(&judge(GateMode::Repair, &wrong)), 1);
    let right = text(Made::result().with(0x0008_0005, "ISO_IR 100"));
    assert_eq!(
        (
            held(&judge(GateMode::Strict, &right)).len(),
            noted(&judge(GateMode::Strict, &right))
        ),
        (0, 0)
    );
}
