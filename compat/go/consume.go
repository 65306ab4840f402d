// Consumers: is every message given once, to whom it belongs, in order, from the right place on?
package main

import (
	"fmt"
	"strings"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func pushClustering(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	before := numbered("before", 100)
	t.sendBodies(p, topic, before)
	_, inbox := t.push(topic)
	t.untilBodies(inbox, before, "messages sent before the consumer")
	after := numbered("after", 100)
	t.sendBodies(p, topic, after)
	t.untilBodies(inbox, append(before, after...), "messages sent before and after the consumer")
	t.equal(len(queueIDs(inbox.all())), 4, "queues read")
}

func pushBroadcasting(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	_, one := t.push(topic, consumer.WithConsumerModel(consumer.BroadCasting))
	_, two := t.push(topic, consumer.WithConsumerModel(consumer.BroadCasting))
	bodies := numbered("all", 60)
	t.sendBodies(p, topic, bodies)
	t.untilBodies(one, bodies, "first member")
	t.untilBodies(two, bodies, "second member")
}

func pushTags(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	_, red := t.pushWhere(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "red || blue"},
		consumer.WithGroupName(t.group()+"-some"))
	_, every := t.push(topic, consumer.WithGroupName(t.group()+"-every"))
	var some, all []string
	for i := range 60 {
		tag := []string{"red", "green", "blue", ""}[i%4]
		m := primitive.NewMessage(topic, []byte(fmt.Sprintf("%s-%02d", tag, i)))
		if tag != "" {
			m.WithTag(tag)
		}
		t.sendTo(p, m)
		all = append(all, string(m.Body))
		if tag == "red" || tag == "blue" {
			some = append(some, string(m.Body))
		}
	}
	t.untilBodies(every, all, "subscription to *")
	t.untilBodies(red, some, "subscription to red || blue")
}

func pushOrderOfOneQueue(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 4)
	queue := t.queues(topic)[1]
	bodies := numbered("step", 300)
	for _, body := range bodies {
		m := primitive.NewMessage(topic, []byte(body))
		m.Queue = queue
		t.sendTo(p, m)
	}
	// One goroutine consumes, so the order given is the order stored.
	_, inbox := t.push(topic, consumer.WithConsumeGoroutineNums(1))
	t.untilBodies(inbox, bodies, "all steps")
	t.sameOrder(inbox.bodies(), bodies, "order of one queue")
}

// An orderly listener holds the lock of each queue at the broker and sees it in order.
func pushOrderlyListener(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 4)
	queues := t.queues(topic)
	expected := map[int][]string{}
	for i := range 200 {
		queue := queues[i%len(queues)]
		m := primitive.NewMessage(topic, []byte(fmt.Sprintf("q%d-%03d", queue.QueueId, i)))
		m.Queue = queue
		t.sendTo(p, m)
		expected[queue.QueueId] = append(expected[queue.QueueId], string(m.Body))
	}
	_, inbox := t.push(topic, consumer.WithConsumerOrder(true))
	t.until(func() bool { return len(inbox.all()) >= 200 }, "200 messages in order", func() string { return brief(inbox.bodies()) })
	got := map[int][]string{}
	for _, m := range inbox.all() {
		got[m.Queue.QueueId] = append(got[m.Queue.QueueId], string(m.Body))
	}
	for id, bodies := range expected {
		t.sameOrder(got[id], bodies, fmt.Sprintf("order of queue %d", id))
	}
}

// A group that has no offset on a young topic starts at its first message, wherever it asks to start: the broker answers
// 0 to the offset query as long as message 0 is near the end of the log (ConsumerManageProcessor of the Java broker).
func pushStartPositions(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 1)
	old := numbered("old", 20)
	t.sendBodies(p, topic, old)
	inboxes := map[string]*Inbox{}
	for name, from := range map[string]consumer.ConsumeFromWhere{
		"first": consumer.ConsumeFromFirstOffset, "last": consumer.ConsumeFromLastOffset, "timestamp": consumer.ConsumeFromTimestamp,
	} {
		_, inboxes[name] = t.push(topic, consumer.WithGroupName(t.group()+"-"+name), consumer.WithConsumeFromWhere(from),
			consumer.WithConsumeTimestamp(time.Now().UTC().Add(time.Hour).Format("20060102150405")))
	}
	for name, inbox := range inboxes {
		t.untilBodies(inbox, old, "messages before a group starting at "+name)
	}
}

func pullFromOffset(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 2)
	queue := t.queues(topic)[1]
	bodies := numbered("m", 50)
	for _, body := range bodies {
		m := primitive.NewMessage(topic, []byte(body))
		m.Queue = queue
		t.sendTo(p, m)
	}
	reader := t.pull(topic, consumer.MessageSelector{})

	found, err := reader.PullFrom(background, queue, 10, 5)
	t.ok(err, "pull")
	t.equal(found.Status, primitive.PullFound, "status of a pull at 10")
	t.equal(found.NextBeginOffset, int64(15), "next offset")
	t.equal(found.MinOffset, int64(0), "min offset")
	t.equal(found.MaxOffset, int64(50), "max offset")
	t.sameOrder(bodiesOf(found.GetMessageExts()), bodies[10:15], "messages")

	whole, err := reader.PullFrom(background, queue, 0, 100)
	t.ok(err, "pull")
	t.check(whole.NextBeginOffset > 0 && whole.NextBeginOffset <= 50, "next offset %d", whole.NextBeginOffset)
	t.sameOrder(bodiesOf(whole.GetMessageExts()), bodies[:whole.NextBeginOffset], "messages")

	beyond, err := reader.PullFrom(background, queue, 1000, 5)
	t.ok(err, "pull beyond the end")
	t.equal(beyond.Status, primitive.PullOffsetIllegal, "status of a pull beyond the end")
	t.equal(beyond.NextBeginOffset, int64(50), "next offset of a pull beyond the end")

	// A pull at the end is held until a message comes.
	held := make(chan *primitive.PullResult, 1)
	go func() {
		result, _ := reader.PullFrom(background, queue, 50, 5)
		held <- result
	}()
	late := primitive.NewMessage(topic, []byte("late"))
	late.Queue = queue
	t.sendTo(p, late)
	result := <-held
	t.check(result != nil, "a held pull came back with an error")
	t.sameOrder(bodiesOf(result.GetMessageExts()), []string{"late"}, "message of the held pull")
}

func pullTags(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 1)
	var wanted []string
	for i := range 30 {
		tag := []string{"a", "蓝", "c"}[i%3]
		t.sendTo(p, primitive.NewMessage(topic, []byte(fmt.Sprintf("%s%d", tag, i))).WithTag(tag))
		if tag == "蓝" {
			wanted = append(wanted, fmt.Sprintf("%s%d", tag, i))
		}
	}
	reader := t.pull(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "蓝"})
	result, err := reader.PullFrom(background, t.queues(topic)[0], 0, 32)
	t.ok(err, "pull")
	t.sameOrder(bodiesOf(result.GetMessageExts()), wanted, "messages with tag 蓝")
	t.equal(result.NextBeginOffset, int64(30), "next offset")

	none := t.pull(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "nobody"}, consumer.WithGroupName(t.group()+"-none"))
	result, err = none.PullFrom(background, t.queues(topic)[0], 0, 32)
	t.ok(err, "pull without a match")
	t.equal(result.Status, primitive.PullNoMsgMatched, "status without a match")
	t.equal(result.NextBeginOffset, int64(30), "next offset without a match")
}

// Poll gives what the broker allocated to this consumer; acknowledged messages are not given to the next one.
func pullPollAndAck(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	first := numbered("first", 40)
	t.sendBodies(p, topic, first)
	one := t.pull(topic, consumer.MessageSelector{})
	t.sameBodies(t.poll(one, 40), first, "polled")
	t.ok(one.PersistOffset(background, topic), "persist offsets")
	t.ok(one.Shutdown(), "shutdown")

	second := numbered("second", 40)
	t.sendBodies(p, topic, second)
	two := t.pull(topic, consumer.MessageSelector{})
	t.sameBodies(t.poll(two, 40), second, "polled by the next consumer")
}

// poll acknowledges at least so many messages and gives their bodies.
func (t *T) poll(c rocketmq.PullConsumer, count int) []string {
	var bodies []string
	for deadline := time.Now().Add(patience); len(bodies) < count; {
		t.check(time.Now().Before(deadline), "%d messages not polled within %v; polled: %s", count, patience, brief(bodies))
		request, err := c.Poll(background, time.Second)
		if consumer.IsNoNewMsgError(err) {
			continue
		}
		t.ok(err, "poll")
		bodies = append(bodies, bodiesOf(request.GetMsgList())...)
		c.ACK(background, request, consumer.ConsumeSuccess)
	}
	return bodies
}

func twoConsumersShareAndTakeOver(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	one, inOne := t.push(topic)
	_, inTwo := t.push(topic)

	// Rounds of one message per queue, until a round is shared two and two. While queues change hands a message may be given
	// twice, so a round is over when all of it has been seen, and shared when no message of it was seen by both.
	rounds := 0
	share := func() [2]int {
		rounds++
		prefix := fmt.Sprintf("round%d-", rounds)
		t.sendBodies(p, topic, numbered(strings.TrimSuffix(prefix, "-"), 4))
		of := func(in *Inbox) (mine []string) {
			for _, body := range in.bodies() {
				if strings.HasPrefix(body, prefix) {
					mine = append(mine, body)
				}
			}
			return mine
		}
		t.until(func() bool { return len(distinct(append(of(inOne), of(inTwo)...))) == 4 }, "a whole round",
			func() string { return brief(append(of(inOne), of(inTwo)...)) })
		return [2]int{len(of(inOne)), len(of(inTwo))}
	}
	untilShared := func(wanted [2]int) {
		deadline := time.Now().Add(patience)
		for shared := share(); shared != wanted; shared = share() {
			t.check(time.Now().Before(deadline), "not shared %v within %v; last round: %v", wanted, patience, shared)
		}
	}
	untilShared([2]int{2, 2})
	settledOne, settledTwo := len(inOne.all()), len(inTwo.all())
	for range 5 {
		t.equal(share(), [2]int{2, 2}, "share of a round")
	}
	ofOne, ofTwo := queueIDs(inOne.all()[settledOne:]), queueIDs(inTwo.all()[settledTwo:])
	for id := range ofOne {
		t.check(!ofTwo[id], "queue %d is read by both", id)
	}

	t.ok(one.Shutdown(), "shutdown of the first")
	untilShared([2]int{0, 4})
	t.equal(len(distinct(append(inOne.bodies(), inTwo.bodies()...))), 4*rounds, "different messages given")
}

// untilSettled waits until the offsets that the consumer will commit are behind all it was given: the client moves them a
// moment after the listener returned.
func (t *T) untilSettled(c rocketmq.PushConsumer, topic string) {
	behind := func() int64 { return c.GetOffsetDiffMap()[topic] }
	t.until(func() bool { return behind() == 0 }, "offsets at the end", func() string { return fmt.Sprintf("%d behind", behind()) })
}

// What was consumed before a shutdown is not given again.
func offsetsOverClientRestart(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	first := numbered("first", 200)
	t.sendBodies(p, topic, first)
	one, inbox := t.push(topic)
	t.untilBodies(inbox, first, "first messages")
	t.untilSettled(one, topic)
	t.ok(one.Shutdown(), "shutdown")
	second := numbered("second", 50)
	t.sendBodies(p, topic, second)
	_, inbox = t.push(topic)
	t.untilBodies(inbox, second, "messages since the shutdown")
}

// The same over a restart of the broker, which must also keep the messages and the topic.
func offsetsOverBrokerRestart(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	first := numbered("first", 200)
	t.sendBodies(p, topic, first)
	one, inbox := t.push(topic)
	t.untilBodies(inbox, first, "first messages")
	t.untilSettled(one, topic)
	t.ok(one.Shutdown(), "shutdown")
	t.ok(p.Shutdown(), "shutdown of the producer")

	t.restartBroker()
	t.untilRoutes(t.admin(), topic, 4)

	p = t.producer(toQueue)
	second := numbered("second", 40)
	for i, body := range second {
		m := primitive.NewMessage(topic, []byte(body))
		m.Queue = t.queues(topic)[i%4]
		t.sendTo(p, m)
	}
	_, inbox = t.push(topic)
	t.untilBodies(inbox, second, "messages since the restart")
	t.sameBodies(bodiesOf(t.stored(topic, 240)), append(first, second...), "all messages, before and after the restart")
}

// A producer and a consumer that know nothing of the restart go on with it.
func clientsLiveThroughBrokerRestart(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	before := numbered("before", 20)
	t.sendBodies(p, topic, before)
	_, inbox := t.push(topic)
	t.untilBodies(inbox, before, "messages before the restart")

	t.restartBroker()

	var after []string
	for i := range 20 {
		body := fmt.Sprintf("after-%04d", i)
		// The connection is found broken by the first send on it; such a send may have to be repeated.
		var err error
		t.until(func() bool {
			_, err = p.SendSync(background, primitive.NewMessage(topic, []byte(body)))
			return err == nil
		}, "a send after the restart", func() string { return fmt.Sprint(err) })
		after = append(after, body)
	}
	t.until(func() bool {
		seen := strings.Join(inbox.bodies(), "\n")
		for _, body := range after {
			if !strings.Contains(seen, body) {
				return false
			}
		}
		return true
	}, "messages after the restart", func() string { return brief(inbox.bodies()) })
}
