//! One look at one account: what the venue says is compared with what we know, and what differs is resolved by rule.
//!
//! | the venue | we | rule |
//! |---|---|---|
//! | lists an order of ours | know it the same | nothing |
//! | lists it otherwise, or not | think it live | the venue is asked for it, its trades included |
//! | lists it | think it over | it is asked for, and cancelled there once that is confirmed (`ORDER_STILL_OPEN`) |
//! | lists it | have forgotten it | it is reserved and listed like one that is not ours (`ORDER_FORGOTTEN`) |
//! | lists an id of ours beyond the journal's end | | decisions were lost: new orders are halted (`DECISIONS_LOST`) |
//! | lists an id that is not ours | | it is reserved and listed (`EXTERNAL_ORDER`), and nothing else is done to it |
//! | holds something else | | trades are asked for; what stays the same over three looks is adopted (`BALANCE_ADJUSTED`) |
//! | does not answer | | nothing is concluded |

use super::Home;
use super::compare::{self, Asking, Suspicion};
use crate::core::{Adjust, Balances, Command, External, ListedOrder, Market, News, Report};
use crate::error::other_answer;
use crate::shard::{AccountView, Ask, Holdings, KnownOrder, Reply};
use crate::venue::{Holding, OpenOrder, Pace, Venue, VenueError, VenueOrder};
use domain::{AccountId, Asset, Symbol};
use mesh::Result;
use mesh::time::Clock;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::time::Duration;

/// Orders that are over and asked for because a holding differs.
const SUSPECTS: usize = 5;

/// A look at an account.
pub(super) struct Look<'a> {
    pub(super) venue: &'a dyn Venue,
    pub(super) market: &'a RwLock<Market>,
    pub(super) home: &'a Home,
    pub(super) account: &'a AccountId,
    pub(super) pace: Pace,
    pub(super) clock: &'a Clock,
    /// How far apart looks are that confirm a difference.
    pub(super) apart: Duration,
}

/// The open orders that were asked for.
struct Listing {
    asked: Asking,
    orders: Vec<OpenOrder>,
}

impl Look<'_> {
    /// Looks. Returns whether to look again soon, because something has to be confirmed.
    ///
    /// # Errors
    /// The venue's, or the shard has stopped: nothing was concluded from it.
    pub(super) async fn look(&self, suspicion: &mut Suspicion) -> Result<bool, VenueError> {
        // What we knew before the venue answered: an order placed meanwhile is in its list and not in ours.
        let view = self.view().await?;
        let holdings = self.venue.balances(self.account, self.pace).await?;
        let settled = self.settled().await?;
        let listing = self.listing(&view, &holdings).await?;
        if !view.opened {
            self.open(&holdings).await?;
        }
        self.compare_orders(&view, &listing).await?;
        if !view.opened {
            return Ok(false);
        }
        // A fill was applied meanwhile, or is being asked for: whether the venue's answer has it cannot be told.
        let is_sure = settled == view.holdings && !settled.is_in_doubt;
        if is_sure {
            self.compare_holdings(&view, &holdings, suspicion).await?;
        }
        Ok(suspicion.is_open())
    }

    async fn view(&self) -> Result<AccountView, VenueError> {
        match self.home.shard.ask(Ask::Account(self.account.clone())).await {
            Ok(Reply::Account(view)) => Ok(*view),
            other => Err(unanswered(other)),
        }
    }

    async fn settled(&self) -> Result<Holdings, VenueError> {
        match self.home.shard.ask(Ask::Holdings(self.account.clone())).await {
            Ok(Reply::Holdings(holdings)) => Ok(holdings),
            other => Err(unanswered(other)),
        }
    }

    /// Asks for as little as is needed to know every open order.
    async fn listing(&self, view: &AccountView, holdings: &[Holding]) -> Result<Listing, VenueError> {
        if let Asking::Symbols(symbols) = compare::asking(view) {
            let mut orders = Vec::new();
            for symbol in &symbols {
                orders.extend(self.venue.open_orders(self.account, Some(symbol), self.pace).await?);
            }
            if compare::is_whole(holdings, &orders, |symbol| self.assets_of(view, symbol)) {
                return Ok(Listing {
                    asked: Asking::Symbols(symbols),
                    orders,
                });
            }
        }
        Ok(Listing {
            asked: Asking::All,
            orders: self.venue.open_orders(self.account, None, self.pace).await?,
        })
    }

    fn assets_of(&self, view: &AccountView, symbol: &Symbol) -> Option<(Asset, Asset)> {
        let known = view.live.iter().find(|order| order.symbol == *symbol);
        if let Some(order) = known {
            return Some((order.base.clone(), order.quote.clone()));
        }
        let market = self.market.read();
        let instrument = market.instruments.get(symbol)?;
        Some((instrument.base.clone(), instrument.quote.clone()))
    }

    /// At first sight the venue's holdings are taken over.
    async fn open(&self, holdings: &[Holding]) -> Result<(), VenueError> {
        let balances = holdings.iter().map(|holding| (holding.asset.clone(), holding.total));
        self.urgent(Command::Balances(Balances {
            account: self.account.clone(),
            balances: balances.collect(),
        }))
        .await
    }

    async fn compare_orders(&self, view: &AccountView, listing: &Listing) -> Result<(), VenueError> {
        // Asked after the venue: whatever of ours it has listed was journalled before it was sent.
        let last = match self.home.shard.ask(Ask::Sequence).await {
            Ok(Reply::Sequence(last)) => last,
            other => return Err(unanswered(other)),
        };
        let live: BTreeMap<u64, &KnownOrder> = view.live.iter().map(|order| (order.accepted, order)).collect();
        let mut ours = Vec::new();
        let mut foreign = Vec::new();
        for open in &listing.orders {
            let accepted = self.home.ids.sequence_of(&open.order.venue_id);
            match accepted {
                Some(accepted) if accepted > last => {
                    self.home
                        .shard
                        .tell(Command::DecisionsLost(open.order.venue_id.clone()))
                        .await;
                    continue;
                }
                Some(accepted) => {
                    // Of thousands of orders that are the same on both sides the shard hears nothing.
                    let known = live.get(&accepted);
                    if known.is_none_or(|known| !compare::is_in_step(known, Some(&open.order))) {
                        ours.push((accepted, &open.order));
                    }
                }
                None => {}
            }
            // The shard knows whether one that is not live was forgotten.
            if accepted.is_none_or(|accepted| !live.contains_key(&accepted)) {
                foreign.push(listed(open, accepted));
            }
        }
        let symbols = match &listing.asked {
            Asking::All => None,
            Asking::Symbols(symbols) => Some(symbols.clone()),
        };
        if !foreign.is_empty() || !view.external.is_empty() {
            let external = External {
                account: self.account.clone(),
                symbols,
                orders: foreign,
            };
            self.urgent(Command::External(external)).await?;
        }
        for (accepted, order) in ours {
            self.adopt(accepted, order).await;
        }
        let by_id: BTreeMap<&str, &VenueOrder> = listing
            .orders
            .iter()
            .map(|open| (open.order.venue_id.as_str(), &open.order))
            .collect();
        for known in &view.live {
            if !compare::is_in_step(known, by_id.get(known.venue_id.as_str()).copied()) {
                self.ask_for(known).await;
            }
        }
        Ok(())
    }

    /// An open order of ours: its state is told; one that is over here is looked after.
    async fn adopt(&self, accepted: u64, order: &VenueOrder) {
        let news = News::State(Box::new(order.state.clone()));
        self.home
            .shard
            .tell(Command::Report(Report { order: accepted, news }))
            .await;
        self.home.shard.tell(Command::StillOpen(accepted)).await;
    }

    async fn compare_holdings(
        &self,
        view: &AccountView,
        holdings: &[Holding],
        suspicion: &mut Suspicion,
    ) -> Result<(), VenueError> {
        let differences = compare::differences(view, holdings);
        let confirmed = suspicion.note(&differences, self.clock.monotonic(), self.apart);
        for known in compare::suspects(view, &differences, SUSPECTS) {
            self.ask_for(known).await;
        }
        if confirmed.is_empty() {
            return Ok(());
        }
        self.urgent(Command::Adjust(Adjust {
            account: self.account.clone(),
            differences: confirmed,
        }))
        .await
    }

    async fn ask_for(&self, known: &KnownOrder) {
        let report = Report {
            order: known.accepted,
            news: News::CancelUnsure,
        };
        self.home.shard.tell(Command::Report(report)).await;
    }

    async fn urgent(&self, command: Command) -> Result<(), VenueError> {
        let decided = self.home.shard.urgent(command).await;
        decided.map(drop).map_err(|error| unanswered(Err(error)))
    }
}

fn listed(open: &OpenOrder, accepted: Option<u64>) -> ListedOrder {
    ListedOrder {
        accepted,
        venue_order: open.order.state.venue_order.clone(),
        client_id: open.order.venue_id.clone(),
        terms: open.terms.clone(),
        executed: open.order.state.executed,
    }
}

pub(super) fn unanswered(answer: Result<Reply>) -> VenueError {
    let error = answer.err().unwrap_or_else(other_answer);
    VenueError::NotSent(format!("the shard did not answer: {error}"))
}
