//! The methods of `querier.v1.QuerierService`.

use std::sync::Arc;

use bytes::Bytes;
use connectrpc::{
    CodecFormat, ConnectError, Encodable, PreEncoded, RequestContext, Response, ServiceRequest, ServiceResult,
};
use http::HeaderValue;
use profile::Labels;
use rpc::pprof::Profile;
use rpc::querier::{
    ProfileFormat, ProfileTypesRequest, ProfileTypesResponse, QuerierService, SelectMergeProfileRequest,
    SelectMergeStacktracesRequest, SelectMergeStacktracesResponse, SelectSeriesRequest, SelectSeriesResponse,
    SeriesRequest, SeriesResponse,
};
use rpc::types::{
    LabelNamesRequest, LabelNamesResponse, LabelPair, LabelValuesRequest, LabelValuesResponse, Labels as LabelSet,
    Point, ProfileType, Series, TimeSeriesAggregationType,
};
use store::{Aggregation, Answer, Detail, SeriesQuery, Store, TimeRange};

use super::StoreName;
use super::flamegraph::flame_graph;
use super::names::{allows_utf8, is_classic};
use super::queue::Queue;
use super::tree::tree_bytes;
use super::validate::{self, DEFAULT_MAX_NODES, invalid};
use crate::backend::Backend;

/// Says in an answer that some of the store could not be read.
const MISSING: &str = "pyrope-missing";

/// What to do when there is no store.
const NO_STORE: &str = "there is no store to query: add these lines to the configuration, and the receiver to the \
    forward_to of what collects profiles\n\npyrope.store \"local\" { }\n\nforward_to = [pyrope.store.local.receiver]";

/// Answers queries from the store that the backend gives for each.
pub(super) struct Querier {
    backend: Arc<dyn Backend>,
    queue: Queue,
}

/// A message, or its bytes where we write them ourselves.
pub(super) enum Body<M> {
    Message(M),
    Bytes(PreEncoded<M>),
}

impl<M> Encodable<M> for Body<M>
where
    M: Encodable<M>,
    PreEncoded<M>: Encodable<M>,
{
    fn encode(&self, codec: CodecFormat) -> Result<Bytes, ConnectError> {
        match self {
            Self::Message(message) => message.encode(codec),
            Self::Bytes(bytes) => bytes.encode(codec),
        }
    }
}

impl Querier {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, queue: Queue::default() }
    }

    fn store(&self, context: &RequestContext) -> Result<Store, ConnectError> {
        let name = context.extensions().get::<StoreName>().map(|name| name.0.as_str());
        match (self.backend.store(name), name) {
            (Some((_, store)), _) => Ok(store),
            (None, None) => Err(ConnectError::failed_precondition(NO_STORE)),
            (None, Some(name)) => Err(ConnectError::not_found(format!("there is no store {name:?}"))),
        }
    }

    /// Runs `query` with the store that was asked for, when it is its turn.
    async fn ask<T: Send + 'static>(
        &self,
        context: &RequestContext,
        query: impl FnOnce(&Store) -> Result<Answer<T>, ConnectError> + Send + 'static,
    ) -> ServiceResult<T> {
        let store = self.store(context)?;
        let place = self.queue.enter()?;
        self.backend.look().await;
        let answer = place.run(move || query(&store)).await??;
        let mut response = Response::new(answer.value);
        for missing in answer.missing {
            if let Ok(value) = HeaderValue::from_str(&missing) {
                response.headers.append(MISSING, value);
            }
        }
        Ok(response)
    }
}

impl<T> MapAnswer<T> for Answer<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), missing: self.missing }
    }
}

trait MapAnswer<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U>;
}

#[expect(refining_impl_trait, reason = "the concrete types say which message is meant")]
impl QuerierService for Querier {
    async fn profile_types(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, ProfileTypesRequest>,
    ) -> ServiceResult<ProfileTypesResponse> {
        let request = request.to_owned_message();
        self.ask(&context, move |store| {
            validate::ordered(request.start, request.end)?;
            let range = match (request.start, request.end) {
                (0, 0) => last_hour(),
                (start, end) => TimeRange { start, end },
            };
            Ok(store.profile_types(range).map(|types| ProfileTypesResponse {
                profile_types: types.iter().map(profile_type).collect(),
                ..Default::default()
            }))
        })
        .await
    }

    async fn label_values(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, LabelValuesRequest>,
    ) -> ServiceResult<LabelValuesResponse> {
        let request = request.to_owned_message();
        self.ask(&context, move |store| {
            if request.name.is_empty() {
                return Err(invalid("missing label name: name is empty"));
            }
            let range = validate::range(request.start, request.end, store)?;
            let selector = validate::matchers(&request.matchers)?;
            let values = store.label_values(&request.name, &selector, range);
            Ok(values.map(|names| LabelValuesResponse { names, ..Default::default() }))
        })
        .await
    }

    async fn label_names(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, LabelNamesRequest>,
    ) -> ServiceResult<LabelNamesResponse> {
        let request = request.to_owned_message();
        let utf8 = allows_utf8(context.headers());
        self.ask(&context, move |store| {
            let range = validate::range(request.start, request.end, store)?;
            let selector = validate::matchers(&request.matchers)?;
            Ok(store.label_names(&selector, range).map(|mut names| {
                names.retain(|name| utf8 || is_classic(name));
                LabelNamesResponse { names, ..Default::default() }
            }))
        })
        .await
    }

    async fn series(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, SeriesRequest>,
    ) -> ServiceResult<SeriesResponse> {
        let request = request.to_owned_message();
        let utf8 = allows_utf8(context.headers());
        self.ask(&context, move |store| {
            let range = validate::range(request.start, request.end, store)?;
            let selector = validate::matchers(&request.matchers)?;
            Ok(store.series(&selector, &request.label_names, range).map(|sets| SeriesResponse {
                labels_set: sets
                    .iter()
                    .map(|labels| LabelSet {
                        labels: pairs(&labels.filter(|name| utf8 || is_classic(name))),
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            }))
        })
        .await
    }

    async fn select_merge_stacktraces(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, SelectMergeStacktracesRequest>,
    ) -> ServiceResult<Body<SelectMergeStacktracesResponse>> {
        let request = request.to_owned_message();
        self.ask(&context, move |store| merge_stacktraces(store, &request)).await
    }

    async fn select_merge_profile(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, SelectMergeProfileRequest>,
    ) -> ServiceResult<Body<Profile>> {
        let request = request.to_owned_message();
        self.ask(&context, move |store| {
            let query =
                validate::query(&request.profile_typeID, &request.label_selector, request.start, request.end, store)?;
            let max_nodes = validate::max_nodes(request.max_nodes)?;
            let call_site = validate::call_site(request.stack_trace_selector.as_option())?;
            validate::no_ids(&request.profile_id_selector, "profile_id_selector")?;
            validate::no_ids(&request.trace_id_selector, "trace_id_selector")?;
            let mut answer = store.merge(&query, Detail::Frames);
            answer.value.tree = answer.value.tree.under(&call_site);
            Ok(answer.map(|merged| {
                let bytes = merged.into_profile(&query, max_nodes).encode();
                Body::Bytes(PreEncoded::from_bytes_unchecked(bytes))
            }))
        })
        .await
    }

    async fn select_series(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, SelectSeriesRequest>,
    ) -> ServiceResult<SelectSeriesResponse> {
        let request = request.to_owned_message();
        self.ask(&context, move |store| select_series(store, request)).await
    }
}

fn merge_stacktraces(
    store: &Store,
    request: &SelectMergeStacktracesRequest,
) -> Result<Answer<Body<SelectMergeStacktracesResponse>>, ConnectError> {
    let query = validate::query(&request.profile_typeID, &request.label_selector, request.start, request.end, store)?;
    let max_nodes = validate::max_nodes(request.max_nodes)?;
    let call_site = validate::call_site(request.stack_trace_selector.as_option())?;
    if !request.span_selector.is_empty() && !request.trace_id_selector.is_empty() {
        return Err(invalid("span_selector and trace_id_selector exclude each other"));
    }
    validate::no_ids(&request.profile_id_selector, "profile_id_selector")?;
    validate::no_ids(&request.trace_id_selector, "trace_id_selector")?;
    validate::no_ids(&request.span_selector, "span_selector")?;
    let detail = match request.format.as_known() {
        Some(ProfileFormat::PROFILE_FORMAT_PPROF) => Detail::Frames,
        Some(ProfileFormat::PROFILE_FORMAT_DOT) | None => {
            return Err(ConnectError::unimplemented("this format is not supported; ask for FLAMEGRAPH, TREE or PPROF"));
        }
        Some(_) => Detail::Functions,
    };
    let mut answer = store.merge(&query, detail);
    answer.value.tree = answer.value.tree.under(&call_site);
    Ok(answer.map(|merged| match request.format.as_known() {
        Some(ProfileFormat::PROFILE_FORMAT_PPROF) => {
            let wrapped = as_field(1, &merged.into_profile(&query, max_nodes).encode());
            Body::Bytes(PreEncoded::from_bytes_unchecked(as_field(5, &wrapped)))
        }
        Some(ProfileFormat::PROFILE_FORMAT_TREE) => Body::Message(SelectMergeStacktracesResponse {
            tree: tree_bytes(&merged.tree, max_nodes.unwrap_or(DEFAULT_MAX_NODES)),
            ..Default::default()
        }),
        _ => Body::Message(SelectMergeStacktracesResponse {
            flamegraph: flame_graph(&merged.tree, max_nodes.unwrap_or(DEFAULT_MAX_NODES)).into(),
            ..Default::default()
        }),
    }))
}

fn select_series(store: &Store, request: SelectSeriesRequest) -> Result<Answer<SelectSeriesResponse>, ConnectError> {
    let query = validate::query(&request.profile_typeID, &request.label_selector, request.start, request.end, store)?;
    let step = validate::step(request.step, query.range)?;
    if !validate::call_site(request.stack_trace_selector.as_option())?.is_empty() {
        return Err(ConnectError::unimplemented("a call_site in SelectSeries is not supported"));
    }
    let limit = match request.limit {
        None | Some(0) => None,
        Some(limit) => {
            Some(usize::try_from(limit).map_err(|_| invalid(format!("limit is {limit}; it must not be negative")))?)
        }
    };
    let aggregation = match request.aggregation.and_then(|aggregation| aggregation.as_known()) {
        Some(TimeSeriesAggregationType::TIME_SERIES_AGGREGATION_TYPE_AVERAGE) => Aggregation::Average,
        _ => Aggregation::Sum,
    };
    let query = SeriesQuery { query, step, group_by: request.group_by, aggregation, limit };
    Ok(store.select_series(&query).map(|lines| SelectSeriesResponse {
        series: lines
            .into_iter()
            .map(|line| Series {
                labels: pairs(&line.labels),
                points: line
                    .points
                    .into_iter()
                    .map(|(timestamp, value)| Point { value, timestamp, ..Default::default() })
                    .collect(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }))
}

fn pairs(labels: &Labels) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
        ..Default::default()
    };
    labels.iter().map(pair).collect()
}

fn profile_type(profile_type: &profile::ProfileType) -> ProfileType {
    ProfileType {
        ID: profile_type.id(),
        name: profile_type.name.to_string(),
        sample_type: profile_type.sample_type.to_string(),
        sample_unit: profile_type.sample_unit.to_string(),
        period_type: profile_type.period_type.to_string(),
        period_unit: profile_type.period_unit.to_string(),
        ..Default::default()
    }
}

/// A message with one field of bytes; `field` below 16.
fn as_field(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 11);
    out.push(field << 3 | 2);
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
    out
}

fn last_hour() -> TimeRange {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let end = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    TimeRange { start: end - 3_600_000, end }
}
