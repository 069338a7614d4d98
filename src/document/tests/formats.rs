//! The formats that are not presence: what real stacks send, what the RFCs show, what is met in the field.

use super::MAX_DOCUMENT;
use super::fields::shown;
use crate::document::Document;
use crate::document::dialog_info::DialogInfo;
use crate::document::message_summary::MessageClass;
use crate::document::reginfo::RegInfo;

pub(super) const DIALOGS: &str = "application/dialog-info+xml";
pub(super) const REGISTRATIONS: &str = "application/reginfo+xml";
pub(super) const WATCHERS: &str = "application/watcherinfo+xml";
pub(super) const MESSAGES: &str = "application/simple-message-summary";

/// RFC 4235 §6.3 with more of what may be there.
pub(super) const CALL: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="2" state="partial" entity="sip:alice@example.com">
  <dialog id="old"><state event="remote-bye" code="200">terminated</state></dialog>
  <dialog id="zxcnm3" call-id="call&amp;1" local-tag="l" remote-tag="r" direction="recipient">
    <state> Early </state><state>confirmed</state><duration>274</duration>
    <replaces call-id="other" local-tag="1" remote-tag="2"/><referred-by display="Ref">sip:ref@example.com</referred-by>
    <route-set><hop>sip:p1@example.com;lr</hop><hop>sip:p2@example.com;lr</hop></route-set>
    <local><identity display="Alice">sip:alice@example.com</identity><target uri="sip:alice@192.0.2.1">
      <param pname="+sip.rendering" pval="no"/><param pname="x"/></target><cseq>7</cseq></local>
    <remote><identity display="B &lt;ob&gt;">sip:bob@example.org</identity><target uri="sip:bob@192.0.2.2"/>
      <session-description type="application/sdp">v=0</session-description></remote>
    <x:exclusive xmlns:x="urn:x"><state>terminated</state></x:exclusive>
  </dialog>
  <dialog id="third"><state>early</state><remote><target uri="sip:carol@192.0.2.3"/></remote></dialog>
</dialog-info>"#;

/// RFC 5628 §8.
pub(super) const GRUU: &str = r#"<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo" version="1" state="full">
<registration aor="sip:user@example.com" id="a7" state="active">
<contact id="75" state="terminated" event="expired"><uri>sip:old@192.0.2.1</uri></contact>
<contact id="76" state="active" event="registered" duration-registered="7322" expires="3600" retry-after="5" q="0.8" callid="c@d" cseq="12">
<uri>sip:user@192.0.2.1</uri><display-name>The User</display-name><unknown-param name="+sip.instance">"&lt;urn:uuid:1&gt;"</unknown-param>
<gr:pub-gruu uri="sip:user@example.com;gr=hha9s8d-999a"/><gr:temp-gruu uri="sip:8ffkas08af7fasklzi9@example.com;gr" first-cseq="54301"/></contact>
</registration><registration aor="sip:other@example.com" id="a8" state="init"/></reginfo>"#;

/// RFC 3858 §3, with one that has ended.
pub(super) const WATCHED: &str = r#"<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">
<watcher-list resource="sip:professor@example.com" package="presence"/>
<watcher-list resource="sip:professor@example.com" package="dialog">
<watcher id="77ajsyy76" event="timeout" status="terminated">sip:late@example.com</watcher>
<watcher id="8ajksjda7s" event="subscribe" status="pending" display-name="Mr. Subscriber" xml:lang="en" expiration="600" duration-subscribed="509">
 sip:userA@example.net </watcher>
<watcher id="9" event="approved" status="active">sip:userB@example.org</watcher></watcher-list></watcherinfo>"#;

/// RFC 3842 §5.2.
pub(super) const VOICE: &str = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n\r\n\
    To: <alice@atlanta.example.com>\r\nFrom: <bob@biloxi.example.com>\r\nSubject: carpool\r\n tomorrow\r\n\r\nTo: <x@example.com>\r\n\r\n";

pub(super) fn read(media_type: &str, body: &[u8]) -> Option<Document> {
    Document::read(media_type.as_bytes(), body, MAX_DOCUMENT)
}

/// Fields of a document, each as `name=value`; one with an index as `name[1]`.
fn said(media_type: &str, body: &str, fields: &str) -> String {
    let document = read(media_type, body.as_bytes()).unwrap();
    let field = |asked: &str| {
        let (name, index) = asked.split_once('[').unwrap_or((asked, ""));
        let index = index.strip_suffix(']').map(|index| index.parse().unwrap());
        format!("{asked}={}", shown(&document, name, index).unwrap_or("-".to_owned()))
    };
    fields.split(' ').map(field).collect::<Vec<_>>().join(" ")
}

fn dialogs(body: &str) -> DialogInfo {
    let Some(Document::Dialogs(dialogs)) = read(DIALOGS, body.as_bytes()) else { panic!("{body}") };
    dialogs
}

fn registrations(body: &str) -> RegInfo {
    let Some(Document::Registrations(registrations)) = read(REGISTRATIONS, body.as_bytes()) else { panic!("{body}") };
    registrations
}

#[test]
fn dialogs_of_real_stacks() {
    let all = "dialog_state dialogs dialog_id direction call_id local_tag remote_tag remote_uri";
    assert_eq!(
        said(DIALOGS, include_str!("../../../tests/data/dialog-info-kamailio.xml"), all),
        "dialog_state=confirmed dialogs=1 dialog_id=as7d900as8 direction=initiator call_id=a84b4c76e66710 \
         local_tag=1928301774 remote_tag=456887766 remote_uri=-"
    );
    assert_eq!(
        said(DIALOGS, include_str!("../../../tests/data/dialog-info-asterisk.xml"), "dialog_state dialogs dialog_id"),
        "dialog_state=confirmed dialogs=1 dialog_id=alice"
    );
    assert_eq!(
        said(
            DIALOGS,
            include_str!("../../../tests/data/dialog-info-idle.xml"),
            "dialog_state dialog_state[0] dialog_state[1]"
        ),
        "dialog_state=terminated dialog_state[0]=terminated dialog_state[1]=-"
    );
}

#[test]
fn a_lamp_shows_the_dialog_nearest_to_a_conversation() {
    assert_eq!(
        said(
            DIALOGS,
            CALL,
            "dialog_state dialog_id remote_name remote_uri local_uri dialogs dialog_state[0] remote_uri[2]"
        ),
        "dialog_state=early dialog_id=zxcnm3 remote_name=B <ob> remote_uri=sip:bob@example.org \
         local_uri=sip:alice@example.com dialogs=3 dialog_state[0]=terminated remote_uri[2]=sip:carol@192.0.2.3"
    );
    let states = ["", "odd", "terminated", "trying", "proceeding", "early", "Confirmed"];
    for (at, lower) in states.iter().enumerate() {
        for higher in &states[at..] {
            for [one, other] in [[lower, higher], [higher, lower]] {
                let body = format!(
                    "<dialog-info><dialog><state>{one}</state></dialog><dialog><state>{other}</state></dialog></dialog-info>"
                );
                let found = dialogs(&body);
                let lamp = &found.lamp().unwrap().state;
                assert!(lamp.eq_ignore_ascii_case(higher) || ["", "odd"].contains(higher), "{body}: {lamp}");
            }
        }
    }
    assert_eq!(
        said(DIALOGS, "<dialog-info/>", "dialog_state direction dialogs"),
        "dialog_state=terminated direction=- dialogs=0"
    );
}

#[test]
fn all_of_a_dialog_is_kept() {
    let found = dialogs(CALL);
    assert_eq!(
        (found.entity.as_str(), found.version.map(|version| version.number)),
        ("sip:alice@example.com", Some(2))
    );
    assert_eq!((found.dialogs[0].event.as_deref(), found.dialogs[0].code), (Some("remote-bye"), Some(200)));
    let call = &found.dialogs[1];
    assert_eq!((call.call_id.as_deref(), call.duration), (Some("call&1"), Some(274)));
    assert_eq!(call.replaces.as_ref().map(|other| other.call_id.as_str()), Some("other"));
    assert_eq!(
        call.referred_by.as_ref().map(|by| (by.uri.as_str(), by.display.as_deref())),
        Some(("sip:ref@example.com", Some("Ref")))
    );
    assert_eq!(call.route_set, ["sip:p1@example.com;lr", "sip:p2@example.com;lr"]);
    assert_eq!(call.local.params, [("+sip.rendering".to_owned(), Some("no".to_owned())), ("x".to_owned(), None)]);
    assert_eq!((call.local.cseq, call.local.target.as_deref()), (Some(7), Some("sip:alice@192.0.2.1")));
    assert_eq!(call.remote.session, Some((Some("application/sdp".to_owned()), "v=0".to_owned())));
}

#[test]
fn contacts_and_their_gruus() {
    let kamailio = include_str!("../../../tests/data/reginfo-kamailio.xml");
    assert_eq!(
        said(REGISTRATIONS, kamailio, "contacts contact contact_event contact_state aor reg_state expires"),
        "contacts=1 contact=sip:alice@127.0.0.1:5099 contact_event=registered contact_state=active \
         aor=sip:alice@127.0.0.1 reg_state=active expires=-"
    );
    assert_eq!(
        said(
            REGISTRATIONS,
            GRUU,
            "contacts contact expires pub_gruu temp_gruu contact[0] contact_event[0] contact[2] aor[1] reg_state[1]"
        ),
        "contacts=1 contact=sip:user@192.0.2.1 expires=3600 pub_gruu=sip:user@example.com;gr=hha9s8d-999a \
         temp_gruu=sip:8ffkas08af7fasklzi9@example.com;gr contact[0]=sip:old@192.0.2.1 contact_event[0]=expired contact[2]=- \
         aor[1]=sip:other@example.com reg_state[1]=init"
    );
    let contact = &registrations(GRUU).registrations[0].contacts[1];
    assert_eq!(contact.unknown_params, [("+sip.instance".to_owned(), "\"<urn:uuid:1>\"".to_owned())]);
    assert_eq!((contact.duration_registered, contact.retry_after, contact.cseq), (Some(7322), Some(5), Some(12)));
    assert_eq!((contact.q.as_deref(), contact.call_id.as_deref()), (Some("0.8"), Some("c@d")));
    assert_eq!(contact.temp_gruu.as_ref().and_then(|(_, first)| *first), Some(54301));
    // Without an active one the first is shown, and without a contact the registration.
    let gone = "<reginfo><registration aor='a' state='terminated'><contact state='terminated' event='expired'/></registration></reginfo>";
    assert_eq!(said(REGISTRATIONS, gone, "contacts contact_event aor"), "contacts=0 contact_event=expired aor=a");
    let init = "<reginfo><registration aor='a' state='init'/></reginfo>";
    assert_eq!(
        said(REGISTRATIONS, init, "contacts contact aor reg_state"),
        "contacts=0 contact=- aor=a reg_state=init"
    );
}

/// A body that is no XML has no fields; it is handed on as it came (see `check_bodies`).
#[test]
fn flaws_of_real_registrars_are_not_guessed_at() {
    let undeclared = "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='0' state='full'><registration aor='sip:a@b' id='a1' state='active'><ere:wildcardedIdentity>sip:pbx-!.*!@b</ere:wildcardedIdentity></registration></reginfo>";
    let unescaped = "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='1' state='full'><registration aor='sip:a@b' id='a1' state='active'><contact id='c1' state='active' event='registered'><uri>sip:a@192.0.2.30;a=1&b=2</uri></contact></registration></reginfo>";
    for body in [undeclared, unescaped] {
        assert_eq!(read(REGISTRATIONS, body.as_bytes()), None);
    }
}

#[test]
fn watchers_by_status() {
    let kamailio = include_str!("../../../tests/data/watcherinfo-kamailio.xml");
    assert_eq!(said(WATCHERS, kamailio, "watchers watcher"), "watchers=0 watcher=-");
    assert_eq!(
        said(
            WATCHERS,
            WATCHED,
            "watchers watcher watcher_status watcher_event watcher[0] watcher_event[0] watcher[2] watcher[3]"
        ),
        "watchers=2 watcher=sip:userA@example.net watcher_status=pending watcher_event=subscribe watcher[0]=sip:late@example.com \
         watcher_event[0]=timeout watcher[2]=sip:userB@example.org watcher[3]=-"
    );
    let Some(Document::Watchers(found)) = read(WATCHERS, WATCHED.as_bytes()) else { panic!() };
    let watcher = &found.lists[1].watchers[1];
    assert_eq!((watcher.display_name.as_deref(), watcher.lang.as_deref()), (Some("Mr. Subscriber"), Some("en")));
    assert_eq!((watcher.expiration, watcher.duration_subscribed), (Some(600), Some(509)));
}

#[test]
fn waiting_messages() {
    let all = "waiting account voice_new voice_old voice_urgent_new voice_urgent_old fax_new";
    for (body, expected) in [
        (include_str!("../../../tests/data/message-summary-kamailio.txt"), "yes sip:alice@127.0.0.1 4 8 1 2 -"),
        (include_str!("../../../tests/data/message-summary-asterisk.txt"), "no - 0 0 0 0 -"),
        (VOICE, "yes sip:alice@vmail.example.com 2 8 0 2 -"),
        (
            "\r\nmessages-waiting :\tYES\nVOICE-MESSAGE:\t4294967296/ 7\n ( 1\n /2 )\nX-Oddity: \u{e4}\nno colon\n",
            "yes - 4294967295 7 1 2 -",
        ),
        ("Voice-Message: 1", "yes - 1 - - - -"),
        ("Voice-Message: 0/5\nFax-Message: 0/0 (-/x)", "no - 0 5 - - 0"),
        ("Voice-Message: x/5 (1)\nVoice-Message: 3/3", "- - - 5 1 - -"),
        (
            "Messages-Waiting: maybe\nMessages-Waiting: no\nMessage-Account:\nMessage-Account: a\nFax-Message: 3/1",
            "no a - - - - 3",
        ),
        ("Messages-Waiting: no\r\n\r\nMessages-Waiting: yes\r\nVoice-Message: 1/1", "no - - - - - -"),
    ] {
        let found = said(MESSAGES, body, all);
        let values: Vec<&str> = found.split(' ').map(|pair| pair.split_once('=').unwrap().1).collect();
        assert_eq!(values.join(" "), expected, "{body}");
    }
    let Some(Document::Messages(found)) = read(MESSAGES, VOICE.as_bytes()) else { panic!() };
    assert_eq!(found.messages.len(), 2);
    assert_eq!(found.messages[0][2], ("Subject".to_owned(), "carpool tomorrow".to_owned()));
    let broken = read(MESSAGES, b"Messages-Waiting: yes\r\nX-Odd: \xE9\r\nVoice-Message: 1/0").unwrap();
    assert_eq!(shown(&broken, "voice_new", None).as_deref(), Some("1"), "one bad byte spoils its own line only");
    let many = format!("Messages-Waiting: yes\n{}", (0..80_000).map(|each| format!("{each}:1\n")).collect::<String>());
    let Some(Document::Messages(found)) = Document::read(MESSAGES.as_bytes(), many.as_bytes(), 1 << 20) else {
        panic!()
    };
    assert_eq!(found.classes.len(), 1023, "no more lines are taken");
    assert_eq!(found.classes[0], MessageClass { name: "0".to_owned(), new: Some(1), ..MessageClass::default() });
}

/// XML that breaks off is no document; what there is of plain text is taken.
#[test]
fn truncated_at_every_byte() {
    for (media_type, body) in [(DIALOGS, CALL), (REGISTRATIONS, GRUU), (WATCHERS, WATCHED)] {
        assert!(read(media_type, body.as_bytes()).is_some());
        for end in 0..body.len() {
            assert_eq!(read(media_type, &body.as_bytes()[..end]), None, "{end} of {media_type}");
        }
    }
    for end in 0..VOICE.len() {
        let found = read(MESSAGES, &VOICE.as_bytes()[..end]).unwrap();
        assert_eq!(shown(&found, "waiting", None).is_some(), end >= "Messages-Waiting: yes".len(), "{end}");
    }
}

#[test]
fn hostile_documents_are_bounded() {
    for (media_type, root) in [(DIALOGS, "dialog-info"), (REGISTRATIONS, "reginfo"), (WATCHERS, "watcherinfo")] {
        let whole = |inside: &str| read(media_type, format!("<{root}>{inside}</{root}>").as_bytes());
        assert!(whole(&"<a>".repeat(63).clone().replace("<a>", "<a><b/></a>")).is_some());
        for bad in [
            "<a>".repeat(100) + &"</a>".repeat(100),
            "<dialog/><contact/>".repeat(5000),
            "&a;".to_owned(),
            "<dialog id='1' id='1'/>".to_owned(),
            "\u{0}".to_owned(),
        ] {
            assert_eq!(whole(&bad), None);
        }
        assert_eq!(read(media_type, format!("<!DOCTYPE {root} [<!ENTITY a 'b'>]><{root}/>").as_bytes()), None);
        assert_eq!(read(media_type, b"<presence xmlns='urn:ietf:params:xml:ns:pidf'/>"), None);
        assert_eq!(read(media_type, &vec![b' '; MAX_DOCUMENT + 1]), None);
        assert_eq!(read(media_type, b""), None);
        let utf16: Vec<u8> = format!("\u{FEFF}<{root}/>").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(read(media_type, &utf16).is_some());
    }
}
