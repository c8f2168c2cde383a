use std::collections::BTreeSet;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::identity::Grants;
use crate::pb::strategy::StartStrategyRequest;
use crate::pb::tables;
use crate::pb::trading::{Order, SubmitOrderRequest};

fn principal(role: Role, grants: Grants) -> Arc<Principal> {
    Arc::new(Principal {
        subject: "ada".into(),
        roles: BTreeSet::from([role]),
        grants,
        token_id: "t".into(),
        expires_at_micros: 0,
    })
}

fn submit_order() -> &'static Method {
    tables::method("/trademesh.trading.v1.TradingService/SubmitOrder").unwrap()
}

#[test]
fn every_method_is_found_by_its_path_and_nothing_else_is() {
    for method in tables::METHODS {
        assert_eq!(tables::method(method.path).unwrap(), method);
    }
    assert_eq!(tables::method("/trademesh.trading.v1.TradingService/Nothing"), None);
    let method = submit_order();
    assert_eq!(
        (method.area, method.name, method.permission),
        ("trading", "SubmitOrder", "orders.submit")
    );
    assert_eq!(
        (method.account_field, method.account_field_tags),
        (Some("account_id"), &[1_u32][..])
    );
    assert_eq!((method.idempotency, method.audit), (Idempotency::Idempotent, true));
    assert_eq!(method.http[0].template, "/v1/accounts/{account_id}/orders");
    assert_eq!(method.http[0].body, Body::Whole);
}

#[test]
fn the_administrator_holds_all_but_what_is_for_services_alone() {
    for method in tables::METHODS.iter().filter(|method| method.scope != Scope::Public) {
        let for_services_alone = method.roles == [Role::Service];
        let held = tables::role_permissions(Role::Admin).contains(&method.permission);
        assert_eq!(held, !for_services_alone, "{}", method.path);
        for role in Role::ALL {
            let held = tables::role_permissions(role).contains(&method.permission);
            assert_eq!(held, method.roles.contains(&role), "{role} {}", method.path);
        }
    }
}

#[test]
fn a_call_needs_a_token_the_permission_and_the_account() {
    let submit = submit_order();
    let keys = tables::method("/trademesh.auth.v1.AuthService/GetKeys").unwrap();
    let instruments = tables::method("/trademesh.data.v1.MarketDataService/ListInstruments").unwrap();
    let mine = || Grants::from_names(["mine"]);
    let table = [
        (submit, None, Some("mine"), Some("UNAUTHENTICATED")),
        (
            submit,
            Some(principal(Role::Viewer, mine())),
            Some("mine"),
            Some("PERMISSION_DENIED"),
        ),
        (
            submit,
            Some(principal(Role::Trader, mine())),
            Some("other"),
            Some("ACCOUNT_NOT_GRANTED"),
        ),
        (
            submit,
            Some(principal(Role::Trader, mine())),
            Some(""),
            Some("ACCOUNT_NOT_GRANTED"),
        ),
        (submit, Some(principal(Role::Trader, mine())), Some("mine"), None),
        (submit, Some(principal(Role::Admin, Grants::All)), Some("any"), None),
        (instruments, Some(principal(Role::Viewer, mine())), None, None),
        (keys, None, None, None),
    ];
    for (method, principal, account, wanted) in table {
        let mut extensions = Extensions::new();
        if let Some(principal) = principal {
            extensions.insert(principal);
        }
        let answer = authorise(method, &extensions, account);
        assert_eq!(
            answer.as_ref().err().map(Error::reason),
            wanted,
            "{} {account:?}",
            method.path
        );
    }
}

#[test]
fn the_account_is_read_from_undecoded_bytes() {
    let request = SubmitOrderRequest {
        account_id: "paper-1".into(),
        symbol: "BTCUSDT".into(),
        ..Default::default()
    };
    assert_eq!(
        account_of(submit_order(), &request.encode_to_vec()).unwrap().as_deref(),
        Some("paper-1")
    );
    assert_eq!(account_of(submit_order(), &[]).unwrap().as_deref(), Some(""));
    let instruments = tables::method("/trademesh.data.v1.MarketDataService/ListInstruments").unwrap();
    assert_eq!(account_of(instruments, b"anything").unwrap(), None);
    let mut twice = request.encode_to_vec();
    twice.extend(
        SubmitOrderRequest {
            account_id: "paper-2".into(),
            ..Default::default()
        }
        .encode_to_vec(),
    );
    assert_eq!(account_of(submit_order(), &twice).unwrap().as_deref(), Some("paper-2"));
}

#[test]
fn a_nested_account_is_read_as_a_decoder_would_merge_it() {
    let nested = Method {
        account_field_tags: &[1, 3],
        ..submit_order().clone()
    };
    let order = |account: &str| {
        let order = Order {
            account_id: account.into(),
            symbol: "X".into(),
            ..Default::default()
        }
        .encode_to_vec();
        let mut field = vec![0x0a, order.len() as u8];
        field.extend(order);
        field
    };
    let bytes = [order("first"), order("second"), order("")].concat();
    assert_eq!(account_of(&nested, &bytes).unwrap().as_deref(), Some("second"));
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let table: [&[u8]; 9] = [
        &[0x0a],                                                       // no length
        &[0x0a, 5, b'a'],                                              // shorter than its length
        &[0x08, 1],                                                    // a number where the text should be
        &[0x00, 1],                                                    // field number 0
        &[0x0b],                                                       // a group
        &[0x11, 1, 2],                                                 // eight bytes are two
        &[0x80, 0x80],                                                 // an endless key
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // a key beyond 64 bits
        &[0x0a, 1, 0xff],                                              // no UTF-8
    ];
    for bytes in table {
        assert_eq!(
            account_of(submit_order(), bytes).unwrap_err().reason(),
            "MALFORMED_MESSAGE",
            "{bytes:?}"
        );
    }
    assert!(account_of(submit_order(), &[0x35, 1, 2, 3, 4, 0x31, 1, 2, 3, 4, 5, 6, 7, 8]).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_name_another_account_than_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let method = tables::method("/trademesh.strategy.v1.StrategyService/StartStrategy").unwrap();
        if let (Ok(decoded), Ok(read)) = (StartStrategyRequest::decode(&bytes[..]), account_of(method, &bytes)) {
            prop_assert_eq!(read, Some(decoded.account_id));
        }
    }
}
