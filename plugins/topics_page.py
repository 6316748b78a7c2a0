"""Register the page "Topics" in Airflow's navigation; its code is in twitter_topics.page.app."""

from __future__ import annotations

from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

from twitter_topics.page.app import StoreOverview, create_app

app = create_app(Path(__file__).parent / "topics_page", StoreOverview())


class TopicsPage(AirflowPlugin):
    """The page at /topics/, shown in an iframe inside Airflow."""

    name = "topics_page"
    fastapi_apps = [{"app": app, "url_prefix": "/topics", "name": "Topics"}]  # noqa: RUF012 - Airflow's interface
    external_views = [  # noqa: RUF012
        {"name": "Topics", "href": "topics/", "destination": "nav", "url_route": "topics", "nav_top_level": True}
    ]
