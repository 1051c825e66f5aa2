// npm's standardwebhooks, as a receiver would use it.
import { readFileSync } from 'node:fs'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'

const { secret, cases } = JSON.parse(readFileSync(0, 'utf8'))
const webhook = new Webhook(secret)

function read({ headers, body }) {
  try {
    return webhook.verify(body, headers)
  } catch (error) {
    if (error instanceof WebhookVerificationError) return null
    throw error
  }
}

console.log(JSON.stringify(cases.map(read)))
