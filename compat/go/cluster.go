// Two NameServers and two brokers: do producers and push consumers go on when one of each is lost, and take it back when it returns?
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	brokerThatStays = "broker-a"
	brokerThatGoes  = "broker-b"
)

// clusterServersLost has one producer and one consumer live through all of it.
func clusterServersLost(t *T) {
	topic := t.topic()
	t.createOnBoth(topic, 2)
	p := t.producer(producer.WithRetry(2))
	_, inbox := t.push(topic)
	t.sendUntilStoredAt(p, topic, "before", brokerThatStays, brokerThatGoes)
	t.untilAmong(inbox, t.sendMany(p, topic, "with-all"), "messages with all servers")

	t.control("kill-nameserver", "nameserver-1")
	t.untilAmong(inbox, t.sendMany(p, topic, "one-nameserver"), "messages with one NameServer")

	t.control("kill-broker", brokerThatGoes)
	t.untilAmong(inbox, t.sendMany(p, topic, "one-broker"), "messages with one broker")
	t.untilQueues(topic, 2)

	t.control("start-broker", brokerThatGoes)
	t.control("start-nameserver", "nameserver-1")
	t.untilQueues(topic, 4)
	t.untilAmong(inbox, t.sendUntilStoredAt(p, topic, "after", brokerThatStays, brokerThatGoes), "messages with all servers again")
}

// createOnBoth makes a topic of so many queues at each broker and waits until the route has all of them.
func (t *T) createOnBoth(topic string, queues int) {
	a := t.admin()
	for _, broker := range []string{brokerThatStays, brokerThatGoes} {
		t.ok(a.CreateTopic(background, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(t.addressOf(broker)),
			admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues)), "create topic at "+broker)
	}
	t.untilQueues(topic, 2*queues)
}

// untilQueues waits until a client that asks anew is told so many queues; one client keeps the first route that it was told.
func (t *T) untilQueues(topic string, count int) {
	var seen []*primitive.MessageQueue
	t.until(func() bool {
		seen = t.queues(topic)
		return len(seen) == count
	}, fmt.Sprintf("%d queues in a new client's route", count), func() string { return fmt.Sprint(seen) })
}

// addressOf a broker, as the control's status tells it.
func (t *T) addressOf(broker string) string {
	for _, line := range strings.Split(t.control("status"), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == broker {
			return words[1]
		}
	}
	t.check(false, "the status names no %s", broker)
	return ""
}

func (t *T) control(arguments ...string) string {
	said, err := exec.Command(os.Getenv("COMPAT_CONTROL"), arguments...).CombinedOutput()
	t.check(err == nil, "control %v: %v: %s", arguments, err, said)
	return string(said)
}

// sendMany sends more messages than there are queues; the client itself turns to another broker, so not one send may fail.
func (t *T) sendMany(p rocketmq.Producer, topic, prefix string) []string {
	bodies := numbered(prefix, 40)
	t.sendBodies(p, topic, bodies)
	return bodies
}

// sendUntilStoredAt sends, without one failure, until each of the brokers got a message, and gives all the bodies.
func (t *T) sendUntilStoredAt(p rocketmq.Producer, topic, prefix string, brokers ...string) []string {
	var bodies []string
	stored := map[string]bool{}
	t.until(func() bool {
		bodies = append(bodies, fmt.Sprintf("%s-%04d", prefix, len(bodies)))
		stored[t.sendTo(p, primitive.NewMessage(topic, []byte(bodies[len(bodies)-1]))).MessageQueue.BrokerName] = true
		for _, broker := range brokers {
			if !stored[broker] {
				return false
			}
		}
		return true
	}, fmt.Sprintf("a message at each of %v", brokers), func() string { return fmt.Sprint(stored) })
	return bodies
}

// untilAmong waits until the bodies are there; a broker that is killed forgets offsets, so some may be there twice.
func (t *T) untilAmong(in *Inbox, expected []string, what string) {
	missing := func() []string {
		seen := distinct(in.bodies())
		var none []string
		for _, body := range expected {
			if !seen[body] {
				none = append(none, body)
			}
		}
		return none
	}
	t.until(func() bool { return len(missing()) == 0 }, what, func() string { return "missing " + brief(missing()) })
}
