// Calls the JavaScript SDK: reads {service, operation, input} from stdin, writes {answer} or {error} to stdout.
import * as entitlement from "@aws-sdk/client-marketplace-entitlement-service";
import * as metering from "@aws-sdk/client-marketplace-metering";

const packages = {
  "meteringmarketplace": [metering, "MarketplaceMeteringClient"],
  "marketplace-entitlement": [entitlement, "MarketplaceEntitlementServiceClient"],
};

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { service, operation, input } = JSON.parse(text);
for (const record of input.UsageRecords ?? []) record.Timestamp = new Date(record.Timestamp);

const [sdk, client] = packages[service];
try {
  const answer = await new sdk[client]({ maxAttempts: 1 }).send(new sdk[`${operation}Command`](input));
  console.log(JSON.stringify({ answer }));
} catch (error) {
  console.log(JSON.stringify({ error: error.name }));
}
