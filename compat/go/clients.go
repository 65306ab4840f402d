// How does a case get clients, messages and the address of the broker?
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var background = context.Background()

func nameServers() primitive.NamesrvAddr {
	return strings.Split(os.Getenv("NAMESRV_ADDR"), ";")
}

var instances atomic.Int64

// instance gives every client its own client id: clients of one instance name share one connection and one fate.
func instance() string { return fmt.Sprintf("%s-%d", run(), instances.Add(1)) }

// producer starts a producer; retries stay off so that an answer is seen, not papered over.
func (t *T) producer(options ...producer.Option) rocketmq.Producer {
	p, err := rocketmq.NewProducer(append([]producer.Option{
		producer.WithNameServer(nameServers()),
		producer.WithGroupName(t.group() + "-p"),
		producer.WithInstanceName(instance()),
		producer.WithRetry(0),
	}, options...)...)
	t.ok(err, "new producer")
	t.ok(p.Start(), "producer start")
	t.atEnd(func() { p.Shutdown() })
	return p
}

// toQueue sends to the queue that the message names.
var toQueue = producer.WithQueueSelector(producer.NewManualQueueSelector())

func (t *T) sendTo(p rocketmq.Producer, m *primitive.Message) *primitive.SendResult {
	result, err := p.SendSync(background, m)
	t.ok(err, "send")
	t.equal(result.Status, primitive.SendOK, "send status")
	return result
}

// sendBodies sends one message per body, one after the other.
func (t *T) sendBodies(p rocketmq.Producer, topic string, bodies []string) []*primitive.SendResult {
	var results []*primitive.SendResult
	for _, body := range bodies {
		results = append(results, t.sendTo(p, primitive.NewMessage(topic, []byte(body))))
	}
	return results
}

func numbered(prefix string, count int) []string {
	var bodies []string
	for i := range count {
		bodies = append(bodies, fmt.Sprintf("%s-%04d", prefix, i))
	}
	return bodies
}

// storeHost is "address:port" of the broker that stored a message, from its offset message id.
func (t *T) storeHost(offsetMsgID string) string {
	t.check(len(offsetMsgID) == 32, "offset message id %q is not 32 characters", offsetMsgID)
	id, err := primitive.UnmarshalMsgID([]byte(offsetMsgID))
	t.ok(err, "offset message id "+offsetMsgID)
	return fmt.Sprintf("%s:%d", id.Addr, id.Port)
}

func (t *T) admin() admin.Admin {
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(nameServers())))
	t.ok(err, "new admin")
	t.atEnd(func() { a.Close() })
	return a
}

// createTopic makes a topic of so many queues and waits until the name server routes to it.
func (t *T) createTopic(topic string, queues int) {
	probe := t.topic() + "-probe"
	broker := t.storeHost(t.sendTo(t.producer(), primitive.NewMessage(probe, []byte("where"))).OffsetMsgID)
	a := t.admin()
	t.ok(a.CreateTopic(background, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues)), "create topic")
	t.untilRoutes(a, topic, queues)
}

func (t *T) untilRoutes(a admin.Admin, topic string, queues int) {
	var seen []*primitive.MessageQueue
	var err error
	t.until(func() bool {
		seen, err = a.FetchPublishMessageQueues(background, topic)
		return err == nil && len(seen) == queues
	}, fmt.Sprintf("%d queues of %s", queues, topic), func() string { return fmt.Sprintf("%v, error %v", seen, err) })
}

// queues of the topic as its route has them.
func (t *T) queues(topic string) []*primitive.MessageQueue {
	queues, err := t.admin().FetchPublishMessageQueues(background, topic)
	t.ok(err, "route of "+topic)
	return queues
}

// Inbox holds what a consumer was given, in the order it was given.
type Inbox struct {
	mu       sync.Mutex
	messages []*primitive.MessageExt
}

func (in *Inbox) put(messages ...*primitive.MessageExt) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages = append(in.messages, messages...)
}

func (in *Inbox) all() []*primitive.MessageExt {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]*primitive.MessageExt(nil), in.messages...)
}

func (in *Inbox) bodies() []string { return bodiesOf(in.all()) }

func bodiesOf(messages []*primitive.MessageExt) []string {
	var bodies []string
	for _, m := range messages {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

func sorted(texts []string) []string {
	copied := append([]string(nil), texts...)
	sort.Strings(copied)
	return copied
}

func distinct(bodies []string) map[string]bool {
	once := map[string]bool{}
	for _, body := range bodies {
		once[body] = true
	}
	return once
}

// queueIDs that the messages came from.
func queueIDs(messages []*primitive.MessageExt) map[int]bool {
	ids := map[int]bool{}
	for _, m := range messages {
		ids[m.Queue.QueueId] = true
	}
	return ids
}

// untilBodies waits until exactly the expected bodies are there, in any order and none twice.
func (t *T) untilBodies(in *Inbox, expected []string, what string) {
	t.until(func() bool { return len(in.all()) >= len(expected) }, what, func() string { return brief(in.bodies()) })
	t.sameBodies(in.bodies(), expected, what)
}

func (t *T) sameBodies(got, expected []string, what string) {
	g, e := sorted(got), sorted(expected)
	t.check(strings.Join(g, "\n") == strings.Join(e, "\n"), "%s: got %s, expected %s", what, brief(g), brief(e))
}

func (t *T) sameOrder(got, expected []string, what string) {
	t.check(strings.Join(got, "\n") == strings.Join(expected, "\n"), "%s: got %s, expected %s", what, brief(got), brief(expected))
}

func brief(bodies []string) string {
	if len(bodies) > 12 {
		return fmt.Sprintf("%d: %q ... %q", len(bodies), bodies[:6], bodies[len(bodies)-6:])
	}
	return fmt.Sprintf("%d: %q", len(bodies), bodies)
}

// push starts a push consumer of the case's group that puts all it is given into an inbox.
func (t *T) push(topic string, options ...consumer.Option) (rocketmq.PushConsumer, *Inbox) {
	return t.pushWhere(topic, consumer.MessageSelector{}, options...)
}

func (t *T) pushWhere(topic string, where consumer.MessageSelector, options ...consumer.Option) (rocketmq.PushConsumer, *Inbox) {
	inbox := &Inbox{}
	c, err := rocketmq.NewPushConsumer(append([]consumer.Option{
		consumer.WithNameServer(nameServers()),
		consumer.WithGroupName(t.group()),
		consumer.WithInstance(instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)...)
	t.ok(err, "new push consumer")
	t.ok(c.Subscribe(topic, where, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		inbox.put(messages...)
		return consumer.ConsumeSuccess, nil
	}), "subscribe")
	t.ok(c.Start(), "push consumer start")
	t.atEnd(func() { c.Shutdown() })
	return c, inbox
}

// pull starts a pull consumer of the case's group.
func (t *T) pull(topic string, where consumer.MessageSelector, options ...consumer.Option) rocketmq.PullConsumer {
	c, err := rocketmq.NewPullConsumer(append([]consumer.Option{
		consumer.WithNameServer(nameServers()),
		consumer.WithGroupName(t.group()),
		consumer.WithInstance(instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithPullBatchSize(32),
	}, options...)...)
	t.ok(err, "new pull consumer")
	t.ok(c.Subscribe(topic, where), "subscribe")
	t.ok(c.Start(), "pull consumer start")
	t.atEnd(func() { c.Shutdown() })
	return c
}

// stored waits until the topic holds so many messages and gives them, read by a group of its own.
func (t *T) stored(topic string, count int) []*primitive.MessageExt {
	_, inbox := t.push(topic, consumer.WithGroupName(t.group()+"-reader"))
	t.until(func() bool { return len(inbox.all()) >= count }, fmt.Sprintf("%d messages in %s", count, topic),
		func() string { return brief(inbox.bodies()) })
	return inbox.all()
}
