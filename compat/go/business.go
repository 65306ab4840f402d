// What a business message can do beyond arriving: come again, wait, depend on a transaction, be selected, be answered, leave a trace.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// failing starts a consumer that fails a message `fails 2 ...` twice, and puts every attempt into the inbox.
func (t *T) failing(topic string, asked, refusal consumer.ConsumeResult, options ...consumer.Option) *Inbox {
	inbox := &Inbox{}
	c, err := rocketmq.NewPushConsumer(append([]consumer.Option{
		consumer.WithNameServer(nameServers()),
		consumer.WithGroupName(t.group()),
		consumer.WithInstance(instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)...)
	t.ok(err, "new push consumer")
	t.ok(c.Subscribe(topic, consumer.MessageSelector{}, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		if concurrently, is := primitive.GetConcurrentlyCtx(ctx); is {
			concurrently.DelayLevelWhenNextConsume = 1
		}
		if orderly, is := primitive.GetOrderlyCtx(ctx); is {
			orderly.SuspendCurrentQueueTimeMillis = 100
		}
		attempt := asItIs(messages[0])
		inbox.put(attempt)
		var times int32
		if _, err := fmt.Sscanf(string(attempt.Body), "fails %d", &times); err == nil && attempt.ReconsumeTimes < times {
			return refusal, nil
		}
		return asked, nil
	}), "subscribe")
	t.ok(c.Start(), "push consumer start")
	t.atEnd(func() { c.Shutdown() })
	return inbox
}

// asItIs keeps what a message is at this attempt: the client counts on in the message itself when it tries again in place.
func asItIs(m *primitive.MessageExt) *primitive.MessageExt {
	attempt := &primitive.MessageExt{MsgId: m.MsgId, BornTimestamp: m.BornTimestamp, StoreTimestamp: m.StoreTimestamp, ReconsumeTimes: m.ReconsumeTimes}
	attempt.Topic, attempt.Body, attempt.Queue = m.Topic, m.Body, m.Queue
	return attempt
}

// timesOf each body, in the order of the attempts.
func timesOf(messages []*primitive.MessageExt) map[string][]int32 {
	times := map[string][]int32{}
	for _, m := range messages {
		times[string(m.Body)] = append(times[string(m.Body)], m.ReconsumeTimes)
	}
	return times
}

func (t *T) untilCount(in *Inbox, count int, what string) {
	t.until(func() bool { return len(in.all()) >= count }, what, func() string { return brief(in.bodies()) })
	t.equal(len(in.all()), count, what)
}

// What fails comes again after the level that the consumer asks for, as the same message, and is laid aside at last.
func retryAndDeadLetters(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 1)
	inbox := t.failing(topic, consumer.ConsumeSuccess, consumer.ConsumeRetryLater, consumer.WithMaxReconsumeTimes(2))
	sent := primitive.NewMessage(topic, []byte("fails 9 times")).WithTag("tag").WithKeys([]string{"key"})
	sent.WithProperty("colour", "红")
	answer := t.sendTo(p, sent)
	t.sendBodies(p, topic, []string{"fails 1 time", "good"})
	t.untilCount(inbox, 6, "all attempts")
	t.equal(fmt.Sprint(timesOf(inbox.all())), "map[fails 1 time:[0 1] fails 9 times:[0 1 2] good:[0]]", "attempts")
	for _, m := range inbox.all() {
		t.equal(m.Topic, topic, "topic of an attempt")
		if m.ReconsumeTimes > 0 {
			waited := m.StoreTimestamp - m.BornTimestamp
			t.check(waited >= int64(m.ReconsumeTimes)*1000, "attempt %d after %d ms", m.ReconsumeTimes, waited)
		}
	}

	t.untilRoutes(t.admin(), "%DLQ%"+t.group(), 1)
	dead := t.stored("%DLQ%"+t.group(), 1)
	t.equal(len(dead), 1, "dead letters")
	m := dead[0]
	t.equal(string(m.Body), "fails 9 times", "dead letter")
	t.equal(m.ReconsumeTimes, int32(3), "times of the dead letter")
	for name, value := range map[string]string{
		"colour": "红", "TAGS": "tag", "RETRY_TOPIC": topic, "ORIGIN_MESSAGE_ID": answer.OffsetMsgID, "UNIQ_KEY": answer.MsgID,
	} {
		t.equal(m.GetProperty(name), value, name+" of the dead letter")
	}
}

// A failed message holds up its queue, and no other.
func orderlyRetry(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 2)
	queues := t.queues(topic)
	for _, queue := range queues {
		for _, body := range []string{"a", "fails 2 times", "b"} {
			if queue.QueueId == 1 {
				body = strings.ReplaceAll(body, "fails", "passes")
			}
			m := primitive.NewMessage(topic, []byte(body))
			m.Queue = queue
			t.sendTo(p, m)
		}
	}
	inbox := t.failing(topic, consumer.ConsumeSuccess, consumer.SuspendCurrentQueueAMoment, consumer.WithConsumerOrder(true))
	t.untilCount(inbox, 8, "all attempts")
	seen := map[int][]string{}
	for _, m := range inbox.all() {
		seen[m.Queue.QueueId] = append(seen[m.Queue.QueueId], fmt.Sprintf("%s/%d", m.Body, m.ReconsumeTimes))
	}
	t.sameOrder(seen[0], []string{"a/0", "fails 2 times/0", "fails 2 times/1", "fails 2 times/2", "b/0"}, "queue 0")
	t.sameOrder(seen[1], []string{"a/0", "passes 2 times/0", "b/0"}, "queue 1")
}

// What fails in order as often as it may is laid aside by the client itself, and its queue goes on.
func orderlyDeadLetter(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 1)
	t.sendBodies(p, topic, []string{"fails 9 times", "good"})
	inbox := t.failing(topic, consumer.ConsumeSuccess, consumer.SuspendCurrentQueueAMoment,
		consumer.WithConsumerOrder(true), consumer.WithMaxReconsumeTimes(1))
	t.until(func() bool { return contains(inbox.bodies(), "good") }, "the message behind it", func() string { return brief(inbox.bodies()) })
	t.equal(fmt.Sprint(timesOf(inbox.all())), "map[fails 9 times:[0 1 2] good:[0]]", "attempts")
	t.untilRoutes(t.admin(), "%DLQ%"+t.group(), 1)
	dead := t.stored("%DLQ%"+t.group(), 1)
	t.equal(len(dead), 1, "dead letters")
	t.equal(string(dead[0].Body), "fails 9 times", "dead letter")
}

// Never early, and in the order of their due times.
func delayLevels(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 1)
	_, inbox := t.push(topic)
	delays := map[string]int64{"level 0": 0, "level 1": 1_000, "level 2": 5_000}
	for _, level := range []int{2, 1, 0} {
		t.sendTo(p, primitive.NewMessage(topic, []byte(fmt.Sprintf("level %d", level))).WithDelayTimeLevel(level))
	}
	t.untilCount(inbox, 3, "delayed messages")
	t.sameOrder(inbox.bodies(), []string{"level 0", "level 1", "level 2"}, "order of arrival")
	for _, m := range inbox.all() {
		waited := m.StoreTimestamp - m.BornTimestamp
		t.check(waited >= delays[string(m.Body)], "%s came after %d ms", m.Body, waited)
	}
}

// decisions of a transaction's producer: `commit`, `rollback`, or `open` until the broker asks and then as the second word says.
type decisions struct {
	mu    sync.Mutex
	asked []string
}

func decision(word string) primitive.LocalTransactionState {
	switch word {
	case "commit":
		return primitive.CommitMessageState
	case "rollback":
		return primitive.RollbackMessageState
	}
	return primitive.UnknowState
}

func (d *decisions) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	return decision(strings.Fields(string(m.Body))[0])
}

func (d *decisions) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, string(m.Body))
	return decision(strings.Fields(string(m.Body))[1])
}

func (d *decisions) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

func transactions(t *T) {
	// Asked 6 s after the send at the earliest, in rounds of 30 s, and not before a heartbeat, which comes every 30 s as well.
	t.patience = 3 * patience
	topic := t.topic()
	t.createTopic(topic, 1)
	_, inbox := t.push(topic)
	listener := &decisions{}
	p, err := rocketmq.NewTransactionProducer(listener, producer.WithNameServer(nameServers()), producer.WithGroupName(t.group()+"-p"),
		producer.WithInstanceName(instance()), producer.WithRetry(0))
	t.ok(err, "new transaction producer")
	t.ok(p.Start(), "transaction producer start")
	t.atEnd(func() { p.Shutdown() })
	for _, body := range []string{"rollback 1", "open rollback", "open commit", "commit 1", "rollback 2", "commit 2"} {
		result, err := p.SendMessageInTransaction(background, primitive.NewMessage(topic, []byte(body)))
		t.ok(err, "send in a transaction")
		t.equal(result.State, decision(strings.Fields(body)[0]), "state of "+body)
	}
	t.untilBodies(inbox, []string{"commit 1", "commit 2"}, "messages committed at once")
	t.untilAmong(inbox, []string{"open commit"}, "the message committed when asked")
	t.until(func() bool { return len(distinct(listener.all())) == 2 }, "both questions", func() string { return fmt.Sprint(listener.all()) })
	for body := range distinct(inbox.bodies()) {
		t.check(!strings.Contains(body, "rollback"), "%s was delivered", body)
	}
}

func pushSQL(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 2)
	where := func(group, expression string) *Inbox {
		_, inbox := t.pushWhere(topic, consumer.MessageSelector{Type: consumer.SQL92, Expression: expression},
			consumer.WithGroupName(t.group()+"-"+group))
		return inbox
	}
	between, text := where("number", "a BETWEEN 3 AND 5"), where("text", "colour = '红' AND a IS NOT NULL AND TAGS <> 'tag1'")
	for i := range 20 {
		m := primitive.NewMessage(topic, []byte(fmt.Sprintf("m%d", i))).WithTag(fmt.Sprintf("tag%d", i))
		m.WithProperty("a", fmt.Sprint(i))
		if i < 3 {
			m.WithProperty("colour", "红")
		}
		t.sendTo(p, m)
	}
	t.untilBodies(between, []string{"m3", "m4", "m5"}, "selected by number")
	t.untilBodies(text, []string{"m0", "m2"}, "selected by text")
}

// Each request gets its own answer, and the caller is told when there is none.
func requestReply(t *T) {
	topic := t.topic()
	t.createTopic(topic, 1)
	asking, answering := t.producer(), t.producer()
	c, err := rocketmq.NewPushConsumer(consumer.WithNameServer(nameServers()), consumer.WithGroupName(t.group()),
		consumer.WithInstance(instance()), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	t.ok(err, "new push consumer")
	t.ok(c.Subscribe(topic, consumer.MessageSelector{}, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range messages {
			if string(m.Body) == "ignore" {
				continue
			}
			answer, err := consumer.CreateReplyMessage(m, nil)
			if err != nil {
				return consumer.ConsumeRetryLater, err
			}
			// The call reads properties from the body, and forgets it.
			answer.Body = []byte("answer to " + string(m.Body))
			// The client asks before its heartbeat has told the broker who it is, so the first answers may find nobody.
			for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); time.Sleep(lookEvery) {
				if _, err = answering.SendSync(background, answer); err == nil {
					break
				}
			}
		}
		return consumer.ConsumeSuccess, nil
	}), "subscribe")
	t.ok(c.Start(), "push consumer start")
	t.atEnd(func() { c.Shutdown() })

	var waiting sync.WaitGroup
	answers := make(chan string, 10)
	for i := range 10 {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			body := fmt.Sprintf("question %d", i)
			answer, err := asking.Request(background, patience, primitive.NewMessage(topic, []byte(body)))
			if err != nil {
				answers <- fmt.Sprintf("%s: %v", body, err)
			} else if string(answer.Body) != "answer to "+body {
				answers <- fmt.Sprintf("%s: %s", body, answer.Body)
			}
		}()
	}
	waiting.Wait()
	close(answers)
	for wrong := range answers {
		t.check(false, "%s", wrong)
	}

	before := time.Now()
	_, err = asking.Request(background, 2*time.Second, primitive.NewMessage(topic, []byte("ignore")))
	t.check(err != nil, "a question that nobody answers was answered")
	t.check(time.Since(before) >= 2*time.Second, "given up after %v", time.Since(before))
}

// The traces of a message, in the topic that the client was told of: sent, about to be consumed, consumed.
func messageTrace(t *T) {
	topic, traces := t.topic(), t.topic()+"-traces"
	t.createTopic(topic, 1)
	t.createTopic(traces, 1)
	config := &primitive.TraceConfig{Access: primitive.Local, TraceTopic: traces, NamesrvAddrs: nameServers(), GroupName: t.group() + "-t"}
	_, inbox := t.push(topic, consumer.WithTrace(config))
	answer := t.sendTo(t.producer(producer.WithTrace(config)), primitive.NewMessage(topic, []byte("traced")).WithKeys([]string{"key"}))
	t.untilBodies(inbox, []string{"traced"}, "the message")
	_, written := t.push(traces, consumer.WithGroupName(t.group()+"-traces"))
	t.until(func() bool {
		all := strings.Join(written.bodies(), "")
		return strings.Contains(all, "Pub") && strings.Contains(all, "SubBefore") && strings.Contains(all, "SubAfter")
	}, "three traces", func() string { return brief(written.bodies()) })
	for _, m := range written.all() {
		t.check(strings.Contains(string(m.Body), answer.MsgID), "no id in the trace %q", m.Body)
		t.check(strings.Contains(m.GetKeys(), answer.MsgID), "the trace is not found by the id, but by %q", m.GetKeys())
	}
}

// One name in two namespaces is two topics and two groups; what fails comes again in its own.
func namespaces(t *T) {
	topic := t.topic()
	inboxes := map[string]*Inbox{}
	for _, space := range []string{"NS1", "NS2"} {
		t.createTopic(space+"%"+topic, 1)
		inboxes[space] = t.failing(topic, consumer.ConsumeSuccess, consumer.ConsumeRetryLater, consumer.WithNamespace(space))
		t.sendTo(t.producer(producer.WithNamespace(space)), primitive.NewMessage(topic, []byte("fails 1 time in "+space)))
	}
	for space, inbox := range inboxes {
		t.untilCount(inbox, 2, "attempts in "+space)
		for i, m := range inbox.all() {
			t.equal(fmt.Sprintf("%s %d", m.Body, m.ReconsumeTimes), fmt.Sprintf("fails 1 time in %s %d", space, i), "attempt")
		}
	}
	list, err := t.admin().FetchAllTopicList(background)
	t.ok(err, "topic list")
	for _, name := range []string{"NS1%" + topic, "NS2%" + topic, "%RETRY%NS1%" + t.group(), "%RETRY%NS2%" + t.group()} {
		t.check(contains(list.TopicList, name), "%s is not among the topics", name)
	}
	t.check(!contains(list.TopicList, topic), "the topic exists outside of the namespaces")
}

// A bad expression is refused at the pull: the client only logs that its heartbeat with it was refused.
func sqlRefused(t *T) {
	topic := t.topic()
	t.createTopic(topic, 1)
	c, err := rocketmq.NewPullConsumer(consumer.WithNameServer(nameServers()), consumer.WithGroupName(t.group()), consumer.WithInstance(instance()))
	t.ok(err, "new pull consumer")
	err = errors.Join(c.Subscribe(topic, consumer.MessageSelector{Type: consumer.SQL92, Expression: "a >"}), c.Start())
	t.atEnd(func() { c.Shutdown() })
	if err == nil {
		_, err = c.PullFrom(background, t.queues(topic)[0], 0, 8)
	}
	refused := err != nil
	// Java takes it for one that wants everything.
	t.equal(refused, os.Getenv("COMPAT_TARGET") == "roxmq", fmt.Sprintf("refusal of a bad expression (%v)", err))
}
