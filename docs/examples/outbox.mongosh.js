// Schedules a job from mongosh: inserts an order and an outbox entry in one transaction.
//
// mongosh 'mongodb://127.0.0.1:27017/?replicaSet=rs0' outbox.mongosh.js

const session = db.getMongo().startSession()
session.startTransaction()
session.getDatabase("shop").orders.insertOne({ reader: "grace" })
session.getDatabase("ostinato").outbox.insertOne({ functionName: "mailing.send", owner: null, args: { to: "grace" } })
session.commitTransaction()
