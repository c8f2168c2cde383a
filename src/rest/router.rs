//! Finds the route of a method and path. Literals win over variables, and a `:verb` over a value with a colon in it.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;

use super::{Call, Caller, Input, Reply, Route, Segment};
use crate::error::{Error, Result};

/// Every route, as a tree of segments.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<&'static str, Node>,
    one: Option<Box<Node>>,
    /// Routes that end with the rest of the path here.
    rest: Ends,
    /// Routes that end here.
    here: Ends,
}

/// The routes that end at a place, by verb and method.
type Ends = BTreeMap<(Option<&'static str>, &'static str), Route>;

/// A route that was found, with what its variables took.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The route.
    pub route: Route,
    variables: Vec<String>,
}

impl Router {
    /// Builds the tree.
    ///
    /// # Errors
    /// `ROUTE_CONFLICT` when two routes have the same method and shape.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Router> {
        let mut router = Router::default();
        for route in routes {
            if let Some(other) = router.root.insert(route) {
                let message = format!("{} {} is also {}", route.method, route.template, other.template);
                return Err(Error::internal("ROUTE_CONFLICT", message));
            }
        }
        Ok(router)
    }

    /// Finds the route of a request. `path` is as it came, still percent-encoded.
    ///
    /// # Errors
    /// `ROUTE_NOT_FOUND`; `METHOD_NOT_ALLOWED` with the methods that are in `allow`; `MALFORMED_PATH` for a variable
    /// that is no text, or contains a slash or a control character.
    pub fn find(&self, method: &http::Method, path: &str) -> Result<Matched> {
        let no_route = || Error::not_found("ROUTE_NOT_FOUND", "nothing is at this path");
        let segments: Vec<&str> = path.strip_prefix('/').ok_or_else(no_route)?.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(no_route());
        }
        let mut search = Search {
            method: method.as_str(),
            allowed: BTreeSet::new(),
        };
        for (segments, verb) in readings(&segments) {
            if let Some(route) = search.descend(&self.root, &segments, verb) {
                return Ok(Matched {
                    route,
                    variables: variables(&route, &segments)?,
                });
            }
            // The path is known in this reading; another one would speak of another resource.
            if !search.allowed.is_empty() {
                break;
            }
        }
        if search.allowed.is_empty() {
            return Err(no_route());
        }
        let allow = search.allowed.into_iter().collect::<Vec<_>>().join(", ");
        Err(Error::invalid("METHOD_NOT_ALLOWED", "this path does not take this method").with("allow", allow))
    }
}

/// The path as it may be meant: with what follows the last colon as verb, and without a verb.
fn readings<'a>(segments: &[&'a str]) -> Vec<(Vec<&'a str>, Option<&'a str>)> {
    let plain = segments.to_vec();
    let mut readings = Vec::with_capacity(2);
    if let Some((rest, verb)) = segments.last().and_then(|last| last.rsplit_once(':'))
        && !rest.is_empty()
    {
        let mut shortened = plain.clone();
        let last = shortened.len() - 1;
        shortened[last] = rest;
        readings.push((shortened, Some(verb)));
    }
    readings.push((plain, None));
    readings
}

struct Search<'a> {
    method: &'a str,
    allowed: BTreeSet<&'static str>,
}

impl Search<'_> {
    fn descend(&mut self, node: &Node, segments: &[&str], verb: Option<&str>) -> Option<Route> {
        let Some((segment, rest)) = segments.split_first() else {
            return self.end(&node.here, verb);
        };
        let literal = percent_decode_str(segment)
            .decode_utf8()
            .ok()
            .and_then(|text| node.literals.get(&*text));
        literal
            .and_then(|next| self.descend(next, rest, verb))
            .or_else(|| node.one.as_ref().and_then(|next| self.descend(next, rest, verb)))
            .or_else(|| self.end(&node.rest, verb))
    }

    fn end(&mut self, ends: &Ends, verb: Option<&str>) -> Option<Route> {
        for ((at, method), route) in ends {
            if *at == verb && *method == self.method {
                return Some(*route);
            }
            if *at == verb {
                self.allowed.insert(method);
            }
        }
        None
    }
}

impl Node {
    /// Puts the route where it ends; answers the one that is there already.
    fn insert(&mut self, route: Route) -> Option<Route> {
        let mut node = self;
        for segment in route.path.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => return node.rest.insert((route.path.verb, route.method), route),
            };
        }
        node.here.insert((route.path.verb, route.method), route)
    }
}

fn variables(route: &Route, segments: &[&str]) -> Result<Vec<String>> {
    let mut values = Vec::with_capacity(route.path.variables.len());
    for variable in route.path.variables {
        let ends_in_rest = route.path.segments[variable.first + variable.length - 1] == Segment::Rest;
        let end = if ends_in_rest {
            segments.len()
        } else {
            variable.first + variable.length
        };
        let parts = segments[variable.first..end]
            .iter()
            .map(|part| decode(part, variable.field));
        values.push(parts.collect::<Result<Vec<_>>>()?.join("/"));
    }
    Ok(values)
}

fn decode(segment: &str, field: &'static str) -> Result<String> {
    let text = percent_decode_str(segment).decode_utf8().ok();
    match text {
        Some(text) if !text.contains(|character: char| character == '/' || character.is_control()) => {
            Ok(text.into_owned())
        }
        _ => Err(
            Error::invalid("MALFORMED_PATH", format!("'{field}' in the path is not plain text")).with("field", field),
        ),
    }
}

impl Matched {
    /// What the path says of a field of the request.
    pub fn variable(&self, field: &str) -> Option<&str> {
        let at = self
            .route
            .path
            .variables
            .iter()
            .position(|variable| variable.field == field)?;
        self.variables.get(at).map(String::as_str)
    }

    /// The account that the path names. `None` when the path names none; the service then reads it from the request.
    pub fn account(&self) -> Option<&str> {
        self.route.rpc.account_field.and_then(|field| self.variable(field))
    }

    /// Builds the request, calls the service and answers.
    ///
    /// # Errors
    /// What is wrong with the request, and what the service refuses.
    pub async fn call(self, input: Input, caller: &dyn Caller) -> Result<Reply> {
        let transport = caller.transport(self.route.rpc.area);
        (self.route.handler)(Call::new(self.variables, input, transport)).await
    }
}
