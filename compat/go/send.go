// Sends: does every way of sending store the message where the answer says?
package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var upperHex32 = regexp.MustCompile("^[0-9A-F]{32}$")

// The first send to an unknown topic goes by the route of TBW102 and makes the topic with min(4, 8) queues.
func autoCreatedTopic(t *T) {
	p, topic := t.producer(), t.topic()
	result := t.sendTo(p, primitive.NewMessage(topic, []byte("first")))
	t.check(result.MessageQueue.QueueId >= 0 && result.MessageQueue.QueueId < 4, "queue %d of 4", result.MessageQueue.QueueId)
	t.equal(result.QueueOffset, int64(0), "offset of the first message")
	a := t.admin()
	t.untilRoutes(a, topic, 4)
	list, err := a.FetchAllTopicList(background)
	t.ok(err, "topic list")
	t.check(contains(list.TopicList, topic), "%s is not among the %d topics", topic, len(list.TopicList))
}

func sendSync(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	next := map[int]int64{}
	answers := map[string]*primitive.SendResult{}
	for _, body := range numbered("m", 40) {
		m := primitive.NewMessage(topic, []byte(body))
		result := t.sendTo(p, m)
		queue := result.MessageQueue.QueueId
		t.equal(result.QueueOffset, next[queue], fmt.Sprintf("offset in queue %d", queue))
		next[queue]++
		t.check(upperHex32.MatchString(result.OffsetMsgID), "offset message id %q", result.OffsetMsgID)
		t.equal(result.MsgID, m.GetProperty(primitive.PropertyUniqueClientMessageIdKeyIndex), "message id")
		t.equal(result.RegionID, "DefaultRegion", "region")
		t.equal(result.TraceOn, true, "trace switch")
		answers[body] = result
	}
	t.equal(len(next), 4, "queues used by round robin")
	stored := t.stored(topic, 40)
	t.equal(len(stored), 40, "messages stored")
	for _, m := range stored {
		answer := answers[string(m.Body)]
		t.equal(m.MsgId, answer.MsgID, "message id as read")
		t.equal(m.OffsetMsgId, answer.OffsetMsgID, "offset message id as read")
		t.equal(m.QueueOffset, answer.QueueOffset, "queue offset as read")
		t.equal(m.Queue.QueueId, answer.MessageQueue.QueueId, "queue as read")
		t.equal(m.StoreHost, t.storeHost(answer.OffsetMsgID), "store host as read")
		t.check(m.StoreTimestamp > 0 && m.BornTimestamp > 0, "times %d and %d", m.BornTimestamp, m.StoreTimestamp)
		t.equal(m.ReconsumeTimes, int32(0), "reconsume times")
	}
}

func sendAsync(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	const count = 200
	type answer struct {
		result *primitive.SendResult
		err    error
	}
	answers := make(chan answer, count)
	bodies := numbered("m", count)
	for _, body := range bodies {
		t.ok(p.SendAsync(background, func(_ context.Context, result *primitive.SendResult, err error) {
			answers <- answer{result, err}
		}, primitive.NewMessage(topic, []byte(body))), "send async")
	}
	t.until(func() bool { return len(answers) == count }, "all answers", func() string { return fmt.Sprint(len(answers)) })
	places := map[string]bool{}
	for range count {
		a := <-answers
		t.ok(a.err, "answer")
		t.equal(a.result.Status, primitive.SendOK, "send status")
		places[fmt.Sprintf("%d/%d", a.result.MessageQueue.QueueId, a.result.QueueOffset)] = true
	}
	t.equal(len(places), count, "different places in queues")
	t.sameBodies(bodiesOf(t.stored(topic, count)), bodies, "messages stored")
}

func sendOneway(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	bodies := numbered("m", 50)
	for _, body := range bodies {
		t.ok(p.SendOneWay(background, primitive.NewMessage(topic, []byte(body))), "send oneway")
	}
	t.sameBodies(bodiesOf(t.stored(topic, 50)), bodies, "messages stored")
}

// A batch lies in one queue without gaps; every message of it keeps its own properties.
func sendBatch(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	for round := range 3 {
		var batch []*primitive.Message
		for i, body := range numbered(fmt.Sprintf("round%d", round), 10) {
			m := primitive.NewMessage(topic, []byte(body)).WithTag(fmt.Sprintf("tag%d", i))
			m.WithProperty("place", fmt.Sprint(i))
			batch = append(batch, m)
		}
		result, err := p.SendSync(background, batch...)
		t.ok(err, "send batch")
		t.equal(result.Status, primitive.SendOK, "send status")
		ids := strings.Split(result.OffsetMsgID, ",")
		t.equal(len(ids), 10, "offset message ids in the answer "+result.OffsetMsgID)
		for _, id := range ids {
			t.check(upperHex32.MatchString(id), "offset message id %q", id)
		}
	}
	perRound := map[string][]*primitive.MessageExt{}
	for _, m := range t.stored(topic, 30) {
		round, _, _ := strings.Cut(string(m.Body), "-")
		perRound[round] = append(perRound[round], m)
	}
	t.equal(len(perRound), 3, "rounds stored")
	for round, messages := range perRound {
		t.equal(len(messages), 10, "messages of "+round)
		t.equal(len(queueIDs(messages)), 1, "queues of "+round)
		first := messages[0].QueueOffset
		for _, m := range messages {
			first = min(first, m.QueueOffset)
		}
		for _, m := range messages {
			t.equal(fmt.Sprint(m.QueueOffset-first), m.GetProperty("place"), "place in "+round)
			t.equal(m.GetTags(), "tag"+m.GetProperty("place"), "tag in "+round)
		}
	}
}

func sendSelectedQueue(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 4)
	for _, queue := range t.queues(topic) {
		for i := range 5 {
			m := primitive.NewMessage(topic, []byte(fmt.Sprintf("q%d-%d", queue.QueueId, i)))
			m.Queue = queue
			result := t.sendTo(p, m)
			t.equal(result.MessageQueue.QueueId, queue.QueueId, "queue")
			t.equal(result.QueueOffset, int64(i), "offset")
		}
	}
	for _, m := range t.stored(topic, 20) {
		t.equal(string(m.Body), fmt.Sprintf("q%d-%d", m.Queue.QueueId, m.QueueOffset), "message at its place")
	}
}

func sendShardingKey(t *T) {
	p, topic := t.producer(producer.WithQueueSelector(producer.NewHashQueueSelector())), t.topic()
	t.createTopic(topic, 4)
	home := map[string]int{}
	for i := range 60 {
		key := fmt.Sprintf("order-%d", i%6)
		result := t.sendTo(p, primitive.NewMessage(topic, []byte(fmt.Sprint(i))).WithShardingKey(key))
		if queue, known := home[key]; known {
			t.equal(result.MessageQueue.QueueId, queue, "queue of "+key)
		}
		home[key] = result.MessageQueue.QueueId
	}
	for _, m := range t.stored(topic, 60) {
		t.equal(m.Queue.QueueId, home[m.GetShardingKey()], "queue of "+m.GetShardingKey())
	}
}

// What a broker must refuse is refused with an error, and the connection serves the next send.
func sendRefused(t *T) {
	p, topic := t.producer(toQueue), t.topic()
	t.createTopic(topic, 4)
	home := t.queues(topic)[0]

	beyond := primitive.NewMessage(topic, []byte("x"))
	beyond.Queue = &primitive.MessageQueue{Topic: topic, BrokerName: home.BrokerName, QueueId: 4}
	_, err := p.SendSync(background, beyond)
	t.check(err != nil && strings.Contains(err.Error(), "CODE: 29"), "queue 4 of 4: %v", err)

	forbidden := primitive.NewMessage("SCHEDULE_TOPIC_XXXX", []byte("x"))
	forbidden.Queue = &primitive.MessageQueue{Topic: "SCHEDULE_TOPIC_XXXX", BrokerName: home.BrokerName}
	_, err = p.SendSync(background, forbidden)
	t.check(err != nil, "a send to the schedule topic is accepted")

	tooLong := primitive.NewMessage(topic, noise(4*1024*1024+1))
	tooLong.Queue = home
	_, err = p.SendSync(background, tooLong)
	t.check(err != nil && strings.Contains(err.Error(), "CODE: 13"), "4 MiB and a byte: %v", err)

	good := primitive.NewMessage(topic, []byte("good"))
	good.Queue = home
	t.equal(t.sendTo(p, good).QueueOffset, int64(0), "offset after refused sends")
}

// noise does not compress, and is the same in every run.
func noise(size int) []byte {
	body := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(body)
	return body
}

func body128KiB(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	for i := range 8 {
		body := noise(128 * 1024)
		body[0] = byte(i)
		t.sendTo(p, primitive.NewMessage(topic, body))
	}
	seen := map[byte]bool{}
	for _, m := range t.stored(topic, 8) {
		expected := noise(128 * 1024)
		expected[0] = m.Body[0]
		t.check(bytes.Equal(m.Body, expected), "body of %d bytes differs from what was sent", len(m.Body))
		seen[m.Body[0]] = true
	}
	t.equal(len(seen), 8, "different bodies")
}

// The client compresses bodies of 4 KiB and more and says so in the system flag; the broker keeps both.
func bodyCompressed(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	long := strings.Repeat("压缩 compressed ", 8000)
	result := t.sendTo(p, primitive.NewMessage(topic, []byte(long)))
	m := t.stored(topic, 1)[0]
	t.check(string(m.Body) == long, "body of %d bytes, sent %d", len(m.Body), len(long))
	t.check(m.StoreSize < int32(len(long)/10), "stored in %d bytes, so not compressed", m.StoreSize)
	t.equal(m.OffsetMsgId, result.OffsetMsgID, "offset message id")
}

func propertiesChinese(t *T) {
	p, topic := t.producer(), t.topic()
	t.createTopic(topic, 4)
	properties := map[string]string{"名字": "消息队列", "mixed": "aß漢字🚀", "spaces": " a  b ", "signs": `{"a":"b=c,d;e"}`}
	m := primitive.NewMessage(topic, []byte("正文：你好，世界 🚀")).WithTag("标签").WithKeys([]string{"键一", "键二"})
	for name, value := range properties {
		m.WithProperty(name, value)
	}
	m.Flag = 7
	t.sendTo(p, m)
	read := t.stored(topic, 1)[0]
	for name, value := range properties {
		t.equal(read.GetProperty(name), value, "property "+name)
	}
	t.equal(string(read.Body), "正文：你好，世界 🚀", "body")
	t.equal(read.GetTags(), "标签", "tag")
	t.equal(strings.TrimSpace(read.GetKeys()), "键一 键二", "keys")
	t.equal(read.Flag, int32(7), "flag")
}

// Consumers see every message once while producers still send from several connections.
func pushWhileSending(t *T) {
	topic := t.topic()
	t.createTopic(topic, 4)
	_, inbox := t.push(topic)
	var bodies []string
	var sending sync.WaitGroup
	failures := make(chan error, 4)
	for i := range 4 {
		mine := numbered(fmt.Sprintf("p%d", i), 250)
		bodies = append(bodies, mine...)
		p := t.producer()
		sending.Add(1)
		go func() {
			defer sending.Done()
			for _, body := range mine {
				if _, err := p.SendSync(background, primitive.NewMessage(topic, []byte(body))); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	sending.Wait()
	select {
	case err := <-failures:
		t.ok(err, "send")
	default:
	}
	t.untilBodies(inbox, bodies, "all messages of four producers")
}

func contains(all []string, wanted string) bool {
	for _, one := range all {
		if one == wanted {
			return true
		}
	}
	return false
}
