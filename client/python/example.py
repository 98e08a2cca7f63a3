#!/usr/bin/python3
"""Leases a key from ccr-broker, uses it, and reports how that went: how any service can share keys with the proxies.

  ./generate.sh /tmp/ccr-stubs
  PYTHONPATH=/tmp/ccr-stubs ./example.py --pool openrouter --outcome http 429

Needs the Debian package python3-grpcio. Exit status: 0 when the report was accepted, 1 when no key was to be had or the
broker could not be reached, 2 for a bad command line.
"""

import argparse
import sys

import grpc

try:
    from ccr.broker.v1 import key_broker_pb2, key_broker_pb2_grpc, types_pb2
    from google.rpc import error_details_pb2, status_pb2
except ImportError as missing:
    sys.exit(f"{missing}: run generate.sh FOLDER and set PYTHONPATH=FOLDER")

CONNECT_SECONDS = 10
CALL_SECONDS = 10


def parse_arguments():
    parser = argparse.ArgumentParser(description="Lease a key, tell its progress, renew the lease, report an outcome.")
    parser.add_argument("--broker", default="127.0.0.1:50061", metavar="ADDR", help="HOST:PORT or unix:PATH")
    parser.add_argument("--token-file", type=argparse.FileType(), help="what the broker knows this service by")
    parser.add_argument("--pool", required=True, help="the provider's name")
    parser.add_argument("--outcome", nargs="+", default=["success"], metavar=("OUTCOME", "STATUS"),
                        help="success, failure, or http STATUS")
    arguments = parser.parse_args()
    arguments.metadata = [("authorization", f"Bearer {arguments.token_file.read().strip()}")] if arguments.token_file else None
    try:
        arguments.evidence = make_evidence(*arguments.outcome)
    except (TypeError, ValueError):
        parser.error("argument --outcome: say success, failure, or http and a status from 100 to 599")
    return arguments


def make_evidence(outcome, *status):
    """What is reported. A caller without HTTP just says whether it worked; one with HTTP lets the broker judge."""
    if outcome in ("success", "failure") and not status:
        return types_pb2.Evidence(success=outcome == "success")
    if outcome == "http" and len(status) == 1 and 100 <= int(status[0]) <= 599:
        return types_pb2.Evidence(http_status=int(status[0]))
    raise ValueError(outcome)


def use_key(lease):
    """Stands for a request to the provider. `credential` goes into one header of it and nowhere else."""
    print(f"leased {lease.key_name} of {lease.pool} for {lease.ttl_ms / 1000:g} s, for requests to {lease.base_url}")
    print(f"  it goes into the header {lease.credential.header}; {lease.candidates_left} other keys are available")


def run(broker, pool, evidence, metadata):
    lease = broker.Lease(key_broker_pb2.LeaseRequest(pool=pool, session="python-example"), timeout=CALL_SECONDS, metadata=metadata)
    report = key_broker_pb2.ReportRequest(lease_id=lease.lease_id, evidence=types_pb2.Evidence(caller_fault=True))
    try:
        use_key(lease)
        # Where an answer lasts, say that it has begun well: nobody who waits for this key need wait for its end.
        if evidence.success or 200 <= evidence.http_status < 300:
            progress = key_broker_pb2.ProgressRequest(lease_id=lease.lease_id, http_status=200)
            broker.Progress(progress, timeout=CALL_SECONDS, metadata=metadata)
        renewed = broker.Renew(key_broker_pb2.RenewRequest(lease_id=lease.lease_id), timeout=CALL_SECONDS, metadata=metadata)
        print(f"renewed for {renewed.ttl_ms / 1000:g} s")
        report.evidence.CopyFrom(evidence)
    finally:  # Whatever happens here, the key is given back; a fault of ours does not count against it.
        answer = broker.Report(report, timeout=CALL_SECONDS, metadata=metadata)
    print_answer(answer)


def print_answer(answer):
    disposition = key_broker_pb2.ReportResponse.Disposition.Name(answer.disposition)
    outcome = types_pb2.Outcome.Name(answer.outcome)
    advice = key_broker_pb2.ReportResponse.Advice.Name(answer.advice)
    print(f"reported: {disposition}, taken as {outcome} ({answer.reason}), advice {advice}")


def retry_delay(error):
    """The seconds until a key comes back, from the RetryInfo in the error's details; None when it does not say."""
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                return retry.retry_delay.ToTimedelta().total_seconds()
    return None


def explain(error):
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        delay = retry_delay(error)
        return "no key is available now; " + (f"try again in {delay:g} s" if delay is not None else "no return in sight")
    return f"{error.code().name}: {error.details()}"


def main():
    arguments = parse_arguments()
    with grpc.insecure_channel(arguments.broker, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            sys.exit(f"broker not reachable at {arguments.broker}")
        try:
            run(key_broker_pb2_grpc.KeyBrokerStub(channel), arguments.pool, arguments.evidence, arguments.metadata)
        except grpc.RpcError as error:
            sys.exit(explain(error))


if __name__ == "__main__":
    main()
