"""The names of the Moobius SDK (PyPI `moobius` 1.8.0), and what has become of each of them here.

`mooring port` and docs/moobius.md are made from this list, and the methods that do nothing or are not there as well; a test compares it with
the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar


class NotSupported(NotImplementedError, AttributeError):
    """A name of the SDK that there cannot be here; the text says which, and why. `hasattr` is false for it."""


@dataclass(frozen=True)
class Surface:
    """What one class or module of the SDK has."""

    owner: str
    """Its name there."""
    found_as: str
    """Where it is here."""
    here: Mapping[str, str] = field(default_factory=dict)
    """What is there, each with what differs, if anything does."""
    nothing: Mapping[str, str] = field(default_factory=dict)
    """What can be called and does nothing, which it says once in the log, and why; a hook of this kind is never called."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """What is not there and raises NotSupported, and why."""

    def __contains__(self, name: str) -> bool:
        return name in self.here or name in self.nothing or name in self.missing

    def refuse(self, name: str) -> NotSupported:
        """What a call of `name` raises."""
        return NotSupported(f"{self.owner}.{name} is not there: {self.missing[name]}")


def _each(names: str, why: str = "") -> dict[str, str]:
    return dict.fromkeys(names.split(), why)


_ACCOUNT = "there is no platform to log in to"
_USER_MODE = "a service is no member; members come in by the page and other gateways"
_SOCKET = "there is no socket to a platform; use the senders of the service"

SERVICE = Surface(
    "Moobius",
    "mooring.Moobius",
    here={
        **_each("channels checkin_interval config service_mode"),
        **_each("on_channel_init on_channel_checkin on_start on_message_up on_button_click on_menu_item_click on_action on_spell"),
        **_each("on_unknown_payload before_channel_init do_member_sync fetch_characters fetch_agents fetch_bound_channels fetch_channel_list"),
        **_each("fetch_popular_channels fetch_service_id_list fetch_service_id_each_channel true_channel_list send_canvas send_buttons"),
        **_each("send_menu send_style create_channel_group create_service_group character_ids_of_service_group character_ids_of_channel_group"),
        **_each("fetch_channel_group_list fetch_channel_temp_group"),
        "client_id": "read-only: the service's id",
        "scheduler": "of APScheduler, as there; made when the service starts, so that `on_channel_init` finds it, too",
        "group_lib": "in memory, as the groups are",
        "http_api": "an object with those calls that have a meaning without the platform",
        "ws_client": "an object with `send`",
        "start": "returns when the service is up; `run` goes on until the service is stopped",
        "on_join": "followed by `on_refresh`, as the platform's page asks for one when a channel is opened",
        "on_leave": "the member is still among the members",
        "on_refresh": "",
        "send_message": "`recipients` None is everybody; returns what was sent, as there, and the size of a file elsewhere is not looked up",
        "send_characters": "ids of nobody are left out",
        "send": "for `message_down`, `update` and `heartbeat`",
        "send_update": "takes the SDK's dict, or a kind of update and its items",
        "create_agent": "",
        "update_agent": "",
        "fetch_member_ids": "the list is everybody, those who join later included, until it is changed; `json.dumps` takes `list(ids)`",
        "fetch_character_profile": "in a list, ids of nobody are left out",
        "fetch_message_history": "what the channel's history keeps, oldest first; `before` is a message id or a time in milliseconds",
        "download": "raises `DownloadFailed` if the address does not give the file",
        "upload": "copies the file into `upload_dir`; the address begins with `/files/` and is served by the page's port",
        "create_channel": "the channel is there at once, and after a restart",
        "update_channel": "for channels that were made so; those of the config are changed there",
        "bind_service_to_channel": "opens a channel that was unbound; True for a channel of the service, False for another",
        "unbind_service_from_channel": "archives a channel that was made so",
        "handle_received_payload": "hands in a payload as the platform sends it",
    },
    nothing={
        **_each("authenticate refresh_authentication sign_up sign_out send_service_login send_user_login", _ACCOUNT),
        **_each("authenticate_interval refresh_interval", _ACCOUNT),
        "create_new_service": "a service is its config",
        "send_heartbeat": "there is no connection to keep alive",
        "heartbeat_interval": "there is no connection to keep alive",
        "on_copy_client": "the platform's receipts; what was sent is kept and delivered",
        **_each("on_message_down on_update on_update_characters on_update_channel_info on_update_canvas", _USER_MODE),
        **_each("on_update_buttons on_update_style on_update_menu", _USER_MODE),
    },
    missing={
        **_each("send_refresh send_join_channel send_leave_channel send_button_click send_menu_item_click", _USER_MODE),
        **_each("user_join_service_channels update_current_user", _USER_MODE),
        **_each("fetch_user_from_group fetch_target_group", "the SDK names it and has not written it"),
        **_each("listen_loop queue", "spells come through the wand"),
    },
)

WAND = Surface(
    "MoobiusWand",
    "mooring.MoobiusWand",
    here={
        "run": "in the background it returns when the service is up; without a plugin list in its config the service starts with `web`",
        "spell": "",
        "aspell": "",
        "stop_all": "lets the services finish what they have in hand, and kills those that do not end",
        "services": "the processes' handles",
        "processes": "",
        "current_service_handle": "",
    },
    missing={"run_job": "what runs in the other process is not for others to call"},
)

STORAGE = Surface(
    "MoobiusStorage",
    "mooring.MoobiusStorage",
    here={
        **_each("service_id channel_id"),
        "put": "the first argument is called `name`",
        "add_container": "raises for a faulty entry; inside of an event only for a dict that was removed with `del` or `delattr` before",
    },
)

CACHED_DICT = Surface(
    "CachedDict",
    "storage.CachedDict",
    here={
        **_each("load save pop clear database"),
        "strict_mode": "a refused write always raises",
    },
)

HTTP_API = Surface(
    "http_api",
    "http_api of the service",
    here={
        **_each("fetch_character_profile fetch_member_ids fetch_agents fetch_service_id_list create_agent update_agent fetch_popular_channels"),
        **_each("fetch_channel_list this_user_channels fetch_message_history upload convert_to_url download download_size fetch_channel_group_dict"),
        **_each("fetch_channel_group_list create_channel_group create_service_group character_ids_of_service_group character_ids_of_channel_group"),
        **_each("fetch_channel_temp_group update_channel bind_service_to_channel unbind_service_from_channel"),
        "create_channel": "nobody comes in before `bind_service_to_channel`",
    },
    missing={
        **_each("checked_get checked_post headers authenticate refresh sign_out", _ACCOUNT),
        **_each("request_sign_up_code request_sign_up_code_again sign_up_with_code", _ACCOUNT),
        **_each("request_password_reset_code reset_password_with_code delete_account fetch_user_info", _ACCOUNT),
        **_each("access_token refresh_token username password http_server_uri aio_strategy filehash2URL", _ACCOUNT),
        "update_current_user": _USER_MODE,
        "create_service": "a service is its config",
        **_each("update_channel_group update_temp_channel_group", "the SDK names it and has not written it"),
        **_each("fetch_user_from_group fetch_target_group", "the SDK names it and has not written it"),
    },
)

WS_CLIENT = Surface(
    "ws_client",
    "ws_client of the service",
    here={"send": "a payload as the service's `send` takes it"},
    missing={
        **_each("connect receive safe_handle heartbeat dumps service_login user_login leave_channel join_channel", _SOCKET),
        **_each("send_characters send_buttons send_menu send_style update_channel_info update_canvas update", _SOCKET),
        **_each("message_up message_down send_button_click send_menu_item_click refresh_as_user", _SOCKET),
        **_each("websocket ws_server_uri on_connect handle outbound_queue outbound_queue_running", _SOCKET),
        **_each("timeout is_connected report_str", _SOCKET),
    },
)

GROUP_LIB = Surface(
    "group_lib",
    "group_lib of the service",
    here=_each("convert_list id2ids_mdown ids2id_mdown id2ids_mup ids2id_mup"),
    missing={"alock": "nothing waits here"},
)

TYPES = Surface(
    "types",
    "mooring.types",
    here={"": "all words, dataclasses and helpers but the two below; printed, the dataclasses show all of their fields"},
    missing={"S3BUCKET": "a store of the platform's", "recv_tmp_convert": "a stopgap of the SDK's own"},
)

JSON_UTILS = Surface(
    "json_utils",
    "mooring.json_utils",
    here={
        **_each("enhanced_json_save marked_recursive_undataclass recursive_json_load update_jsonfile"),
        "enhanced_json_load": "builds objects of the classes of `mooring.types` and of registered ones, and imports nothing that a file names",
        "marked_recursive_dataclass": "the same",
    },
    missing={"get_config": "the service reads its configs"},
)

SURFACES = (SERVICE, WAND, STORAGE, CACHED_DICT, TYPES, HTTP_API, WS_CLIENT, GROUP_LIB, JSON_UTILS)


class HasSurface:
    """Lets what the `surface` of a class calls missing raise NotSupported when somebody asks for it."""

    surface: ClassVar[Surface]

    if not TYPE_CHECKING:  # a name that nobody knows is then still a fault that the type checker finds

        def __getattr__(self, name: str) -> Any:
            if name in self.surface.missing:
                raise self.surface.refuse(name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
