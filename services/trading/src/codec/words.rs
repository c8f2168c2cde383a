//! The enums of the wire ⇄ those of the domain. Unknown numbers and the unspecified are none.

use crate::core::HaltScope;
use domain::{GroupKind, Liquidity, OrderStatus, OrderType, Side, TimeInForce};
use mesh::pb::trading as pb;

/// Two functions, there and back, from one table.
macro_rules! both_ways {
    ($there:ident, $back:ident, $ours:ty, $theirs:ty, $($our:ident = $their:ident),+ $(,)?) => {
        pub(crate) fn $there(value: $ours) -> $theirs {
            match value {
                $(<$ours>::$our => <$theirs>::$their),+
            }
        }

        pub(crate) fn $back(number: i32) -> Option<$ours> {
            match <$theirs>::try_from(number) {
                $(Ok(<$theirs>::$their) => Some(<$ours>::$our),)+
                _ => None,
            }
        }
    };
}

both_ways!(side, side_of, Side, pb::Side, Buy = Buy, Sell = Sell);
both_ways!(
    order_type,
    order_type_of,
    OrderType,
    pb::OrderType,
    Limit = Limit,
    Market = Market,
    LimitMaker = LimitMaker,
);
both_ways!(
    time_in_force,
    time_in_force_of,
    TimeInForce,
    pb::TimeInForce,
    Gtc = Gtc,
    Ioc = Ioc,
    Fok = Fok,
);
both_ways!(
    liquidity,
    liquidity_of,
    Liquidity,
    pb::Liquidity,
    Maker = Maker,
    Taker = Taker
);
both_ways!(
    scope,
    scope_of,
    HaltScope,
    pb::HaltScope,
    Global = Global,
    Account = Account,
    Symbol = Symbol,
    Venue = Venue,
    Strategy = Strategy,
);
both_ways!(
    status,
    status_of,
    OrderStatus,
    pb::OrderStatus,
    PendingNew = PendingNew,
    Unknown = Unknown,
    Open = Open,
    PartiallyFilled = PartiallyFilled,
    PendingCancel = PendingCancel,
    Filled = Filled,
    Cancelled = Cancelled,
    Rejected = Rejected,
    Expired = Expired,
    PendingTrigger = PendingTrigger,
);
both_ways!(
    group_type,
    group_type_of,
    GroupKind,
    pb::GroupType,
    Oco = Oco,
    Oto = Oto,
    Bracket = Bracket,
);
