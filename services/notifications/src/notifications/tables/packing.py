"""Text in as few bytes as can be: each started KB of an item costs its writer one unit more, twice in a
transaction.

What AWS sends, and what we note and tell of it, is a KB or two of which most is the same each time: the names
of members, and few values. zlib is given those words beforehand, so that only what differs is left to be
written.
"""

import zlib

_WORDS = (
    '"WHOLESALE","SERVICE","renewalSummary","agreementCancellationRequest","reasonMessage","reasonCode","adjustmentAmount",'
    '"currencyCode":"USD","product":{"id":"prod-","code":""},"previousAgreementId":"agmt-","AMENDED","RENEWED","REPLACED",'
    '"TERMINATED","EXPIRED","Purchase Agreement Amended - Proposer","License Deprovisioned - Manufacturer",'
    # An envelope of SNS.
    '{"Type" : "Notification", "MessageId" : "", "TopicArn" : "arn:aws:sns:us-east-1:287250355862:'
    'aws-mp-entitlement-notification-aws-mp-subscription-notification-", "Message" : "{'
    '\\"action\\":\\"entitlement-updated\\"subscribe-fail\\"unsubscribe-success\\"unsubscribe-pending\\"subscribe-success\\",'
    '\\"customer-identifier\\":\\"\\",\\"product-code\\":\\"\\",\\"offer-identifier\\":\\"offer-\\",'
    '\\"isFreeTrialTermPresent\\":\\"false\\"true\\"}", "Timestamp" : "2026-", "SignatureVersion" : '
    '"1", "Signature" : "", '
    '"SigningCertURL" : "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-.pem", '
    '"UnsubscribeURL" : "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:"}'
    # An event of EventBridge.
    '{"version":"0","id":"","detail-type":"License Updated - Manufacturer"Purchase Agreement Ended '
    "- Manufacturer"
    '"Purchase Agreement Created - Proposer","source":"aws.agreement-marketplace","account":"",'
    '"time":"2026-",'
    '"region":"us-east-1","resources":["arn:aws:aws-marketplace::aws:agreement:agmt-"],'
    '"detail":{"requestId":"","catalog":"AWSMarketplace","agreement":{"id":"agmt-","intent":"NEW","status":"CANCELLED""ACTIVE",'
    '"acceptanceTime":"2026-","startTime":"2026-","endTime":"9999-01-01T00:00:00Z"},"product":{"id":"prod-","code":""},'
    '"license":{"arn":"arn:aws:license-manager::294406891311:license:l-"},"resaleAuthorization":{"id":null},'
    '"acceptor":{"accountId":""},"proposer":{"accountId":""},"offer":{"id":"offer-"}}}'
    # An entry of the log.
    '{"cause":"answer""notification","name":"unsubscribe-pending"subscribe-success""License Updated '
    '- Manufacturer",'
    '"event_time":"2026-","fact":{"kind":"subscribe_success""unsubscribe_pending""agreement_created""agreement_ended'
    '""license_deprovisioned""license_updated","generation":"legacy""concurrent_agreements","product_code":"",'
    '"customer_identifier":"","agreement_id":"agmt-","customer_aws_account_id":"","offer_id":"offer-","free_trial":true,'
    '"agreement_status":"CANCELLED","intent":"NEW","accepted_at":"2026-","starts_at":"2026-","ends_at":'
    '"9999-01-01T00:00:00.000000Z","license_arn":"arn:aws:license-manager::294406891311:license:l-","notice":{"'
    '},"changes":[{"subscription_id":"sub_","version":1,"changes":[{"attribute":"generation","after":"'
    '"},{"attribute":"product_code","after":""},{"attribute":"status","before":"active","after":"ending"},'
    '{"attribute":"customer_identifier","after":""},{"attribute":"license_arn","after":"arn:aws:license-manager::"},'
    '{"attribute":"agreement_id","after":"agmt-"},{"attribute":"customer_aws_account_id","after":""},'
    '{"attribute":"offer_id","after":"offer-"},{"attribute":"free_trial","after":true},'
    '{"attribute":"active_since","after":"2026-"},{"attribute":"ended_at","after":"2026-"},'
    '{"attribute":"end_reason","after":"CANCELLED"},{"attribute":"meter_until","before":"2026-","after":"2026-"},'
    '{"attribute":"previous_subscription_id","after":"sub_"},{"attribute":"next_subscription_id","after":"sub_"},'
    '{"attribute":"changed_at","before":"2026-","after":"2026-"},{"attribute":"changed_by","before":"","after":""},'
    '{"attribute":"access","before":"granted","after":"denied"},{"attribute":"trial_ends_at"},'
    '{"attribute":"agreement_ends_at"},{"attribute":"entitlements","after":[{"dimension":"","type":"integer","value":"",'
    '"expires_at":null}]}]}],"signals":[{"id":"","type":"subscription.activated""subscription.changed","time":"2026-",'
    '"subscription_id":"sub_","version":2}],"events":["evt_"]}\n'
    # What webhooks tell.
    '{"type":"subscription.pending""subscription.entitlements_changed""subscription.ended""subscription.activated'
    '""subscription.ending","timestamp":"2026-","data":{"subscription":{"subscription_id":"sub_","product_code":"",'
    '"generation":"legacy""concurrent_agreements","status":"pending""ended""ending""active","access":"denied""granted",'
    '"customer_identifier":null,"license_arn":"arn:aws:license-manager::294406891311:license:l-","agreement_id":"agmt-",'
    '"customer_aws_account_id":"","offer_id":"offer-","free_trial":null,"trial_ends_at":null,"agreement_ends_at":null,'
    '"entitlements":null,"entitlements_as_of":null,"active_since":"2026-","ended_at":null,"end_reason":null,'
    '"meter_until":null,"previous_subscription_id":null,"next_subscription_id":null,"version":1,"changed_at":"2026-",'
    '"changed_by":""},"previous_status":null"active","notification_id":""}}'
)
"""Never to be changed: what was packed with these words can only be read with them. Other words are put
before them in `_VOCABULARIES`."""

_VOCABULARIES = (_WORDS.encode(),)
"""The first one packs, all unpack."""

_KNOWN = {zlib.adler32(words): words for words in _VOCABULARIES}
_PRESET = 0x20


def pack(text: str) -> bytes:
    """The same text, always in the same few bytes."""
    packer = zlib.compressobj(9, zdict=_VOCABULARIES[0])
    return packer.compress(text.encode()) + packer.flush()


def unpack(packed: bytes) -> str:
    """The text, to the letter.

    Raises:
        KeyError: it was packed with words that this release does not know.
    """
    # RFC 1950: a bit of the second byte says that words were given, and the next four bytes which.
    if not packed[1] & _PRESET:
        return zlib.decompress(packed).decode()
    unpacker = zlib.decompressobj(zdict=_KNOWN[int.from_bytes(packed[2:6], "big")])
    return (unpacker.decompress(packed) + unpacker.flush()).decode()
