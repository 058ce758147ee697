"""What the seed documents list beside their examples: fields, methods, and functions with their parameters."""

import inspect
import re
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from shared import api
from shared.api import minipilot
from tests.conformance.inventory import BLOCKS

pytestmark = pytest.mark.capability("C183")

FIELDS = {
    "Persona": """
        id persona_id display_name birth_year death_year description speaking_style key_themes voice_prompt
        representative_quotes color works_top_k quotes_top_k profile_top_k works_chunk_size works_chunk_overlap status
        created_at updated_at name template mode loop_frequency first_message image_path extra_data is_active
        raw_text persona conversations ingestion_jobs data_sources get_quotes_list
    """,
    "IngestionJob": """
        id persona_id collection_type status progress total_vectors error_message started_at completed_at
    """,
    "DataSource": "id persona_id collection_type file_name file_path file_size_bytes created_at",
    "Module": """
        id name description content type trigger_pattern script execution_context requires_ai_inference
        script_analysis_metadata is_active created_at updated_at analyze_script refresh_ai_analysis is_immediate_context
        is_post_response_context is_on_demand_context execution_stage_priority get_stage_name get_modules_for_stage
    """,
    "Conversation": """
        id title persona_id provider_type provider_config created_at updated_at messages persona user_id status user
    """,
    "Message": """
        id conversation_id role content thinking extra_data input_tokens output_tokens created_at updated_at
        conversation sender_type role_metadata
    """,
    "ConversationState": """
        id conversation_id module_id execution_stage variables execution_metadata executed_at module created_at
        updated_at get_for_conversation get_latest_for_module store_execution_result to_dict
    """,
    "ConversationMemory": """
        id conversation_id memory_sequence compressed_content original_message_range message_count_at_compression
        first_message_id created_at get_for_conversation get_recent_memories get_next_sequence_number store_memory
        clear_all_memories
    """,
    "User": "id external_id name email created_at updated_at conversations",
    "KnowledgeChunk": "id source external_id title content chunk_metadata created_at updated_at",
    "TimestampMixin": "created_at updated_at",
    "DocumentBatch": "id name source start_date completed_date batch_params duration",
    "Document": "hash mime_type file_size doc_meta",
    "DocumentURI": "id doc_hash uri source version batch_id",
    "DocumentURIHistory": "id doc_uri_id version hash process_date action batch_id histmeta",
    "DocumentBytes": "hash artifact_type storage_root file_size file_bytes",
    "RunGroup": """
        id name workflow_definition_id param_definition_id batch_id created_date start_date completed_date status
        status_date status_message status_meta
    """,
    "WorkflowRun": """
        id workflow_definition_id run_group_id batch_id doc_id priority created_date start_date completed_date status
        status_date status_message status_meta run_params duration
    """,
    "RunStep": """
        id workflow_run_id workflow_step_number workflow_step_name step_config_id step_type is_last_step created_date
        priority start_date status_date completed_date retry retries status status_message status_meta worker_id
        duration
    """,
    "StepConfig": "id created_date step_type config_json cuml_config_json",
    "ConfigSet": "id yaml_id yaml_contents created_date",
    "ConfigSetItem": "config_set_id config_id",
    "LifecycleHistory": """
        id event handler_name run_group_id workflow_run_id step_id start_date completed_date status status_date
        status_message status_meta
    """,
    "WorkerCheckin": "id first_checkin last_checkin",
}

FUNCTIONS = """
    create_user(session, email=None, name=None, external_id=None)
    get_user_by_id(session, user_id)
    get_user_by_email(session, email)
    get_user_by_external_id(session, external_id)
    get_or_create_user_by_external_id(session, external_id, email=None, name=None)
    list_users(session, limit=100, offset=0)
    update_user(session, user_id, email=None, name=None)
    delete_user(session, user_id)
    create_conversation(session, user_id=None, title=None, status='active')
    get_conversation_by_id(session, conversation_id)
    list_conversations_for_user(session, user_id, status=None, limit=100, offset=0)
    list_all_conversations(session, status=None, limit=100, offset=0)
    update_conversation(session, conversation_id, title=None, status=None)
    archive_conversation(session, conversation_id)
    delete_conversation(session, conversation_id)
    add_message(session, conversation_id, sender_type, content, role_metadata=None)
    get_message_by_id(session, message_id)
    list_messages_for_conversation(session, conversation_id, limit=100, offset=0, sender_type=None)
    get_conversation_message_count(session, conversation_id)
    delete_message(session, message_id)
    upsert_knowledge_chunk(session, source, content, external_id=None, title=None, chunk_metadata=None)
    get_knowledge_chunk_by_id(session, chunk_id)
    get_knowledge_chunk_by_external_id(session, external_id, source=None)
    search_knowledge_chunks_by_source(session, source, limit=100, offset=0)
    list_all_knowledge_chunks(session, limit=100, offset=0)
    bulk_upsert_knowledge_chunks(session, chunks)
    delete_knowledge_chunk(session, chunk_id)
    get_database_url()
    create_database_engine(url=None)
    get_engine()
    get_session()
    init_db()
    drop_db()
    reset_db()
"""


@pytest.mark.parametrize("name", FIELDS)
def test_a_class_has_every_documented_field_and_method(name: str):
    assert [field for field in FIELDS[name].split() if not hasattr(getattr(api, name), field)] == []


@pytest.mark.parametrize("documented", FUNCTIONS.split("\n")[1:-1])
def test_a_function_takes_the_documented_parameters(documented: str):
    name, _, parameters = documented.strip().partition("(")
    taken = inspect.signature(getattr(api, name)).parameters.values()
    assert ", ".join(re.sub(r": .*?(?= = |$)", "", str(each)).replace(" = ", "=") for each in taken) + ")" == parameters


def test_everything_of_a_seeds_module_is_importable_from_the_package():
    modules = ("marketplace", "project_2501", "persona_api", "minipilot", "ingester")
    assert len(modules) == len(BLOCKS)
    offered = {name for module in modules for name in getattr(api, module).__all__}
    assert offered == set(api.__all__)


def test_users_are_found_changed_and_deleted(session: Session):
    user, created = minipilot.get_or_create_user_by_external_id(session, "auth-1", email="ada@example.com")
    assert created
    assert minipilot.get_or_create_user_by_external_id(session, "auth-1") == (user, False)
    assert minipilot.get_user_by_id(session, user.id) is user
    assert minipilot.get_user_by_external_id(session, "auth-1") is user
    assert minipilot.update_user(session, user.id, name="Ada") is user
    assert minipilot.list_users(session) == [user]
    assert minipilot.delete_user(session, user.id) is True
    assert minipilot.get_user_by_id(session, user.id) is None


def test_conversations_are_found_changed_and_deleted(session: Session):
    conversation = minipilot.create_conversation(session)
    assert minipilot.get_conversation_by_id(session, conversation.id) is conversation
    assert minipilot.update_conversation(session, conversation.id, title="Title") is conversation
    assert minipilot.archive_conversation(session, conversation.id) is conversation
    assert minipilot.list_all_conversations(session, status="archived") == [conversation]
    assert minipilot.archive_conversation(session, uuid4()) is None
    assert minipilot.delete_conversation(session, conversation.id) is True
    assert minipilot.list_all_conversations(session) == []


def test_messages_are_found_counted_and_deleted(session: Session):
    conversation = minipilot.create_conversation(session)
    message = minipilot.add_message(session, conversation.id, "user", "Hello")
    assert minipilot.get_message_by_id(session, message.id) is message
    assert minipilot.get_conversation_message_count(session, conversation.id) == 1
    assert minipilot.list_messages_for_conversation(session, conversation.id, sender_type="assistant") == []
    assert minipilot.delete_message(session, message.id) is True
    assert minipilot.get_conversation_message_count(session, conversation.id) == 0


def test_chunks_are_found_and_deleted(session: Session):
    chunk = minipilot.upsert_knowledge_chunk(session, "docs", "text", external_id="a")
    assert minipilot.get_knowledge_chunk_by_id(session, chunk.id) is chunk
    assert minipilot.get_knowledge_chunk_by_external_id(session, "a", source="docs") is chunk
    assert minipilot.search_knowledge_chunks_by_source(session, "docs") == [chunk]
    assert minipilot.list_all_knowledge_chunks(session) == [chunk]
    assert minipilot.delete_knowledge_chunk(session, chunk.id) is True
    assert minipilot.list_all_knowledge_chunks(session) == []
