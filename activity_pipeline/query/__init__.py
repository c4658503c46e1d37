"""One question over hot and cold: pages, counts, facets, one event and its neighbours. No HTTP.

service        ActivityQuery: what is asked for, cached
reading        days in order, a few at a time, out of both stores
cursors        where a page ends, as text
answers        what is answered
cache          answers that are asked for again, in Redis
health         how far the pipeline is behind, for what an answer says of itself
calls          a question that whoever asked may give up
"""

from activity_pipeline.query.answers import Page
from activity_pipeline.query.calls import Call
from activity_pipeline.query.service import ActivityQuery, open_query

__all__ = ["ActivityQuery", "Call", "Page", "open_query"]
